import assert from "node:assert/strict";
import { test } from "node:test";
import { staticKeySet } from "../../src/auth/key-set.ts";
import { createTokenVerifier } from "../../src/auth/verify-token.ts";
import { unauthenticated } from "../../src/domain/fault.ts";
import { AUDIENCE, makeSigningKey } from "../support/token.ts";
import { givenVerifier } from "../support/token-verifier.ts";

test("a good token names its caller, frozen", async (t) => {
  const { issuer, verifyToken, seconds } = await givenVerifier(t);
  const caller = await verifyToken(await issuer.sign());
  assert.deepEqual(caller, {
    issuer: issuer.url,
    subject: "user-1",
    organizationId: "acme",
    roles: ["owner"],
    expiresAtMs: (seconds + 300) * 1000,
  });
  assert.ok(Object.isFrozen(caller) && Object.isFrozen(caller.roles));
});

const algorithms = [
  ...["ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA", "Ed25519"],
];

for (const algorithm of algorithms) {
  test(`verifies ${algorithm}, and nothing that was changed afterwards`, async (t) => {
    const { issuer, verifyToken } = await givenVerifier(t, { issuer: { algorithm } });
    const token = await issuer.sign();
    assert.equal((await verifyToken(token)).subject, "user-1");
    const other = await issuer.sign({ claims: { sub: "user-2" } });
    const swapped = [...other.split(".").slice(0, 2), token.split(".")[2]].join(".");
    await assert.rejects(verifyToken(swapped), unauthenticated("signature"));
  });
}

for (const [published, header] of [
  ["EdDSA", "Ed25519"],
  ["Ed25519", "EdDSA"],
  [undefined, "EdDSA"],
  [undefined, "Ed25519"],
]) {
  test(`an Ed25519 key published as ${published} verifies ${header}`, async (t) => {
    const { issuer, verifyToken } = await givenVerifier(t, { issuer: { algorithm: "EdDSA" } });
    issuer.publish([{ ...issuer.key().jwk, alg: published }]);
    assert.equal((await verifyToken(await issuer.sign({ header: { alg: header } }))).subject, "user-1");
  });
}

for (const algorithm of ["ES256", "ES384", "ES512", "RS256"]) {
  test(`a key without alg is pinned by its kind: ${algorithm}`, async (t) => {
    const { issuer, verifyToken } = await givenVerifier(t, { issuer: { algorithm } });
    issuer.publish([{ ...issuer.key().jwk, alg: undefined, use: undefined }]);
    assert.equal((await verifyToken(await issuer.sign())).subject, "user-1");
  });
}

for (const algorithm of ["RS384", "RS512", "PS256"]) {
  test(`an RSA key without alg does not verify ${algorithm}`, async (t) => {
    const { issuer, verifyToken } = await givenVerifier(t, { issuer: { algorithm } });
    issuer.publish([{ ...issuer.key().jwk, alg: undefined }]);
    await assert.rejects(verifyToken(await issuer.sign()), unauthenticated("algorithm"));
  });
}

const acceptedHeaders: readonly Record<string, unknown>[] = [
  { typ: undefined },
  { typ: "JWT" },
  { typ: "jwt" },
  { typ: "AT+JWT" },
  { typ: "application/at+jwt" },
  { jku: "http://127.0.0.1:1/keys", x5u: "http://127.0.0.1:1/", x5c: ["AA=="], jwk: { kty: "oct", k: "AA" } },
];

for (const header of acceptedHeaders) {
  test(`accepts the header ${JSON.stringify(header)}, and fetches nothing for it`, async (t) => {
    const { issuer, verifyToken } = await givenVerifier(t);
    assert.equal((await verifyToken(await issuer.sign({ header }))).subject, "user-1");
    assert.deepEqual(issuer.requests, ["/.well-known/openid-configuration", "/keys"]);
  });
}

test("the key of one issuer does not verify the tokens of another", async (t) => {
  const one = await givenVerifier(t);
  const two = await givenVerifier(t);
  const verifyToken = createTokenVerifier({
    issuers: new Map([
      [one.issuer.url, one.keySet],
      [two.issuer.url, two.keySet],
    ]),
    audiences: [AUDIENCE],
    tenantClaim: "tenant_id",
    rolesClaim: "roles",
    now: one.clock.now,
  });
  assert.equal((await verifyToken(await two.issuer.sign())).issuer, two.issuer.url);
  const forged = await two.issuer.sign({ claims: { iss: one.issuer.url } });
  await assert.rejects(verifyToken(forged), unauthenticated("key_unknown"));
});

test("a token that ends while its issuer is being asked is refused", async (t) => {
  const { clock, issuer, verifyToken } = await givenVerifier(t);
  const token = await issuer.sign();
  const asked = issuer.nextRequest().then(() => clock.advance(4_999));
  const short = await issuer.sign({ claims: { exp: clock.now() / 1000 + 1 } });
  await assert.rejects(verifyToken(short), unauthenticated("expired"));
  await asked;
  assert.equal((await verifyToken(token)).subject, "user-1");
});

test("a static key set verifies without a request, and refuses to start with a bad key", async (t) => {
  const { clock, issuer } = await givenVerifier(t);
  const key = await makeSigningKey("ES256");
  const keySet = await staticKeySet({ keys: [key.jwk] });
  const rules = { audiences: [AUDIENCE], tenantClaim: "tenant_id", rolesClaim: "roles", now: clock.now };
  const verifyToken = createTokenVerifier({ ...rules, issuers: new Map([[issuer.url, keySet]]) });
  await keySet.ready();
  assert.ok(keySet.loaded());
  assert.equal((await verifyToken(await issuer.sign({ key }))).subject, "user-1");
  await assert.rejects(verifyToken(await issuer.sign()), unauthenticated("key_unknown"));
  assert.deepEqual(issuer.requests, []);
  await assert.rejects(staticKeySet({ keys: [{ ...key.jwk, d: "AA" }] }), TypeError);
});

test("a verifier without an audience is a mistake", () => {
  const rules = { issuers: new Map(), tenantClaim: "tenant_id", rolesClaim: "roles", now: () => 0 };
  assert.throws(() => createTokenVerifier({ ...rules, audiences: [] }), TypeError);
});
