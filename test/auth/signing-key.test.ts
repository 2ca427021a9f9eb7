import assert from "node:assert/strict";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { test } from "node:test";
import { inspect } from "node:util";
import { calculateJwkThumbprint, importJWK } from "jose";
import { seal } from "../../src/auth/aes-gcm.ts";
import { makeSigningKey, openSigningKey, type SigningKey } from "../../src/auth/signing-key.ts";
import { sealingKeys } from "../support/signing-keys.ts";

const keys = sealingKeys(1);

function opened(key: ReturnType<typeof openSigningKey>): SigningKey {
  return typeof key === "string" ? assert.fail(key) : key;
}

test("a key is published by what its public half needs and nothing else, and named by its thumbprint", async () => {
  const { kid, publicJwk } = makeSigningKey(keys, randomBytes);
  assert.deepEqual(Object.keys(publicJwk).sort(), ["alg", "crv", "kid", "kty", "use", "x", "y"]);
  const { kty, crv, alg, use } = publicJwk;
  assert.deepEqual([kty, crv, alg, use, publicJwk.kid], ["EC", "P-256", "ES256", "sig", kid]);
  assert.equal(kid, await calculateJwkThumbprint({ ...publicJwk }));
  assert.ok(await importJWK({ ...publicJwk }));
});

test("a sealed key opens as what it was, under the current root key and under a retired one", () => {
  const made = makeSigningKey(keys, randomBytes);
  for (const ring of [sealingKeys(1), sealingKeys(1, 2), sealingKeys(2, 1), sealingKeys(3, 2, 1)]) {
    const key = opened(openSigningKey(made, ring));
    assert.deepEqual([key.kid, key.publicJwk], [made.kid, made.publicJwk]);
    assert.deepEqual(key.publicKey.export({ format: "jwk" }).x, made.publicJwk.x);
  }
});

test("no other root key opens it, and neither it nor its id can be changed", () => {
  const made = makeSigningKey(keys, randomBytes);
  const other = makeSigningKey(keys, randomBytes);
  assert.equal(openSigningKey(made, sealingKeys(2, 3)), "not_sealed_by_us");
  assert.equal(openSigningKey({ ...made, kid: other.kid }, keys), "not_sealed_by_us");
  for (let at = 0; at < made.sealedPrivateKey.length; at++) {
    const changed = Buffer.from(made.sealedPrivateKey);
    changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
    assert.equal(openSigningKey({ kid: made.kid, sealedPrivateKey: changed }, keys), "not_sealed_by_us");
  }
});

test("what was sealed and is no key of P-256 with this id is not used", () => {
  const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey;
  const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const contents = [
    Buffer.from("geheim"),
    Buffer.alloc(0),
    p384.export({ type: "pkcs8", format: "der" }),
    // A key, under an id that is not its own.
    p256.export({ type: "pkcs8", format: "der" }),
  ];
  for (const content of contents) {
    const sealedPrivateKey = seal(keys[0], content, "kid", randomBytes);
    assert.equal(openSigningKey({ kid: "kid", sealedPrivateKey }, keys), "not_a_signing_key");
  }
});

test("neither a sealed key nor an opened one shows its private half when it is printed", () => {
  const made = makeSigningKey(keys, randomBytes);
  const key = opened(openSigningKey(made, keys));
  const { d } = key.privateKey.export({ format: "jwk" });
  assert.ok(d !== undefined);
  const slices = [d.slice(4, 14), Buffer.from(d, "base64url").toString("hex").slice(8, 20)];
  for (const value of [made, key]) {
    const printed = `${inspect(value, { depth: 9, showHidden: true })}${JSON.stringify(value)}`;
    for (const slice of slices) assert.equal(printed.includes(slice), false);
  }
});
