"""Gets an access token by discovery and verifies it against the published keys, with Python's standard library alone.

Environment: ISSUER, CLIENT_ID, CLIENT_SECRET, AUDIENCE. Prints the claims as JSON, or ends with what is wrong.
"""

import base64
import hashlib
import json
import os
import sys
import time
import urllib.parse
import urllib.request

# The curve P-256 (FIPS 186-4, D.1.2.3).
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def fetch(url, form=None, headers={}):
    data = None if form is None else urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers)) as answer:
        return json.load(answer)


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def add(a, b):
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def multiply(point, factor):
    product = None
    while factor:
        if factor & 1:
            product = add(product, point)
        point = add(point, point)
        factor >>= 1
    return product


def holds(key, signed, signature):
    """ECDSA with SHA-256 over two numbers side by side (RFC 7518, 3.4)."""
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    public = tuple(int.from_bytes(decode(key[name]), "big") for name in ("x", "y"))
    on_curve = (public[1] ** 2 - public[0] ** 3 + 3 * public[0] - B) % P == 0
    if len(signature) != 64 or not (0 < r < N and 0 < s < N and on_curve):
        return False
    digest = int.from_bytes(hashlib.sha256(signed).digest(), "big")
    inverse = pow(s, -1, N)
    point = add(multiply(G, digest * inverse % N), multiply(public, r * inverse % N))
    return point is not None and point[0] % N == r


def main():
    issuer = os.environ["ISSUER"]
    metadata = fetch(issuer + "/.well-known/oauth-authorization-server")
    assert metadata["issuer"] == issuer, "issuer"
    pair = ":".join(urllib.parse.quote_plus(os.environ[name]) for name in ("CLIENT_ID", "CLIENT_SECRET"))
    basic = "Basic " + base64.b64encode(pair.encode()).decode()
    granted = fetch(
        metadata["token_endpoint"], {"grant_type": "client_credentials"}, {"Authorization": basic}
    )
    assert granted["token_type"] == "Bearer", "token type"

    signed, _, signature = granted["access_token"].rpartition(".")
    header, payload = (json.loads(decode(part)) for part in signed.split("."))
    assert header["alg"] == "ES256" and header["typ"] == "at+jwt", "header"
    keys = fetch(metadata["jwks_uri"])["keys"]
    [key] = [key for key in keys if key["kid"] == header["kid"]]
    assert (key["kty"], key["crv"], key["use"]) == ("EC", "P-256", "sig"), "key"
    assert holds(key, signed.encode(), decode(signature)), "signature"
    assert not holds(key, signed.encode() + b"x", decode(signature)), "signature of something else"
    assert payload["iss"] == issuer and payload["aud"] == os.environ["AUDIENCE"], "issuer or audience"
    assert payload["iat"] - 60 < time.time() < payload["exp"] == payload["iat"] + granted["expires_in"], "time"
    json.dump(payload, sys.stdout)


main()
