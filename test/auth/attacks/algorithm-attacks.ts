import { Buffer } from "node:buffer";
import { createHmac, KeyObject } from "node:crypto";
import { CompactSign } from "jose";
import { encodePart, type SigningKey } from "../../support/token.ts";
import { type Attack, type Forge, headerOf, payloadOf, withHeader, withHeaderText } from "./forge.ts";

/** Signed with HMAC under something public, which a naive verifier takes for the secret. */
const withHmac =
  (secret: (key: SigningKey) => string | Buffer): Forge =>
  (target) => {
    const signed = `${encodePart(headerOf(target, { alg: "HS256" }))}.${encodePart(payloadOf(target))}`;
    return `${signed}.${createHmac("sha256", secret(target.main)).update(signed).digest("base64url")}`;
  };

function signedByRsaAs(alg: string): Forge {
  return async (target) => {
    const pkcs8 = await crypto.subtle.exportKey("pkcs8", target.rsa.privateKey);
    const name = alg.startsWith("PS") ? "RSA-PSS" : "RSASSA-PKCS1-v1_5";
    const params = { name, hash: `SHA-${alg.slice(2)}` };
    const key = await crypto.subtle.importKey("pkcs8", pkcs8, params, false, ["sign"]);
    return new CompactSign(Buffer.from(payloadOf(target)))
      .setProtectedHeader({ alg, kid: target.rsa.id })
      .sign(key);
  };
}

export const algorithmAttacks: readonly Attack[] = [
  ...[
    "none",
    "None",
    "nOnE",
    "NONE",
    "",
    "es256",
    "ES256 ",
    "ES256K",
    "HS256",
    "dir",
    "__proto__",
    "constructor",
  ].map((alg): Attack => [`alg ${JSON.stringify(alg)}`, "algorithm", withHeader({ alg })]),
  ["alg missing", "algorithm", withHeader({ alg: undefined })],
  ["alg null", "algorithm", withHeader({ alg: null })],
  ["alg a number", "algorithm", withHeader({ alg: 256 })],
  ["alg a list", "algorithm", withHeader({ alg: ["ES256"] })],
  [
    "alg under __proto__",
    "algorithm",
    withHeaderText(({ main }) => `{"__proto__":{"alg":"ES256"},"kid":"${main.id}"}`),
  ],
  [
    "alg none and no signature",
    "malformed",
    (target) => `${encodePart(headerOf(target, { alg: "none" }))}.${encodePart(payloadOf(target))}.`,
  ],
  [
    "HS256 with the public key's PEM",
    "algorithm",
    withHmac((key) => KeyObject.from(key.publicKey).export({ type: "spki", format: "pem" })),
  ],
  [
    "HS256 with the public key's DER",
    "algorithm",
    withHmac((key) => KeyObject.from(key.publicKey).export({ type: "spki", format: "der" })),
  ],
  ["HS256 with the public key's JWK", "algorithm", withHmac((key) => JSON.stringify(key.jwk))],
  ["HS256 with an empty secret", "algorithm", withHmac(() => "")],
  ["another algorithm of the same kind", "algorithm", withHeader({ alg: "ES384" })],
  ["an RSA algorithm for an EC key", "algorithm", withHeader({ alg: "RS256" })],
  ["EdDSA for an EC key", "algorithm", withHeader({ alg: "EdDSA" })],
  [
    "an EC algorithm for an RSA key",
    "algorithm",
    ({ issuer, rsa }) => issuer.sign({ header: { kid: rsa.id } }),
  ],
  ["PS256, truly signed, for a key pinned to RS256", "algorithm", signedByRsaAs("PS256")],
  ["RS512, truly signed, for a key pinned to RS256", "algorithm", signedByRsaAs("RS512")],
];
