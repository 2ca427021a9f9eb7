import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { exportJWK, type JWK } from "jose";
import { KeySetError } from "../../src/auth/key-set-error.ts";
import { readKeys } from "../../src/auth/published-keys.ts";
import type { JsonValue } from "../../src/domain/strict-json.ts";
import { givenKeySet } from "../support/key-set.ts";
import { makeSigningKey } from "../support/token.ts";

const ec = await makeSigningKey("ES256", "ec");
const rsa = await makeSigningKey("RS256", "rsa");
const ed = await makeSigningKey("EdDSA", "ed");
const privateJwk = await exportJWK(ec.privateKey);

const rsaWith = (modulusLength: number, publicExponent = 65_537): JWK => ({
  ...generateKeyPairSync("rsa", { modulusLength, publicExponent }).publicKey.export({ format: "jwk" }),
  kid: "odd",
});
const curveKey = (namedCurve: string): JWK => ({
  ...createPublicKey(generateKeyPairSync("ec", { namedCurve }).privateKey).export({ format: "jwk" }),
  kid: "odd",
});

const good: readonly [name: string, jwk: object, algorithm: string][] = [
  ["an EC key", ec.jwk, "ES256"],
  ["an EC key without alg and use", { ...ec.jwk, alg: undefined, use: undefined }, "ES256"],
  ["a key for several operations", { ...ec.jwk, key_ops: ["sign", "verify"] }, "ES256"],
  ["a key with members nobody knows", { ...ec.jwk, x5t: "AA", ext: false, "urn:x": {} }, "ES256"],
  ["an RSA key", rsa.jwk, "RS256"],
  ["an RSA key without alg", { ...rsa.jwk, alg: undefined }, "RS256"],
  ["an RSA key for PS384", { ...rsa.jwk, alg: "PS384" }, "PS384"],
  ["an RSA key of 8192 bits", { ...rsa.jwk, n: repeated(4) }, "RS256"],
  ["an RSA key with the exponent 3", rsaWith(2048, 3), "RS256"],
  ["an Ed25519 key", ed.jwk, "EdDSA"],
  ["an Ed25519 key with the newer name", { ...ed.jwk, alg: "Ed25519" }, "EdDSA"],
  ["an EC key on P-384", curveKey("P-384"), "ES384"],
  ["an EC key on P-521", curveKey("P-521"), "ES512"],
];

for (const [name, jwk, algorithm] of good) {
  test(`pins ${name} to ${algorithm}`, async () => {
    const { byId, skipped } = await readKeys({ keys: [asJson(jwk)] });
    assert.deepEqual(skipped, []);
    assert.deepEqual(
      [...byId.values()].map((key) => key.algorithm.names[0]),
      [algorithm],
    );
  });
}

const bad: readonly [name: string, problem: string, jwk: unknown][] = [
  ["null", "not_an_object", null],
  ["a string", "not_an_object", "key"],
  ["a list", "not_an_object", [ec.jwk]],
  ["no kid", "id", { ...ec.jwk, kid: undefined }],
  ["an empty kid", "id", { ...ec.jwk, kid: "" }],
  ["a kid that is a number", "id", { ...ec.jwk, kid: 1 }],
  ["a long kid", "id", { ...ec.jwk, kid: "k".repeat(257) }],
  ["a private key", "private", { ...privateJwk, kid: "odd" }],
  ["a shared secret", "private", { kty: "oct", k: "c2VjcmV0", alg: "HS256", kid: "odd" }],
  ["use enc", "use", { ...ec.jwk, use: "enc" }],
  ["use a list", "use", { ...ec.jwk, use: ["sig"] }],
  ["key_ops without verify", "use", { ...ec.jwk, key_ops: ["encrypt"] }],
  ["key_ops a string", "use", { ...ec.jwk, key_ops: "verify" }],
  ["an unknown kty", "algorithm", { kty: "AKP", pub: "AA", kid: "odd" }],
  ["an unknown kty with a known alg", "algorithm", { kty: "AKP", alg: "ES256", kid: "odd" }],
  ["no kty", "algorithm", { ...ec.jwk, kty: undefined }],
  ["alg HS256", "algorithm", { ...ec.jwk, alg: "HS256" }],
  ["alg none", "algorithm", { ...ec.jwk, alg: "none" }],
  ["alg null", "algorithm", { ...ec.jwk, alg: null }],
  ["alg for encryption", "algorithm", { ...rsa.jwk, alg: "RSA-OAEP" }],
  ["alg of another curve", "algorithm", { ...ec.jwk, alg: "ES384" }],
  ["alg of another kind of key", "algorithm", { ...ec.jwk, alg: "RS256" }],
  ["RSA with an EC alg", "algorithm", { ...rsa.jwk, alg: "ES256" }],
  ["RSA with a curve", "algorithm", { ...rsa.jwk, crv: "P-256" }],
  ["X25519", "algorithm", { kty: "OKP", crv: "X25519", x: ed.jwk.x, kid: "odd" }],
  ["Ed448", "algorithm", { kty: "OKP", crv: "Ed448", x: ed.jwk.x, alg: "EdDSA", kid: "odd" }],
  ["secp256k1", "algorithm", curveKey("secp256k1")],
  ["a point off the curve", "material", { ...ec.jwk, y: ec.jwk.x }],
  ["a missing coordinate", "material", { ...ec.jwk, y: undefined }],
  ["a short Ed25519 key", "material", { ...ed.jwk, x: "AAAA" }],
  ["a modulus that is a number", "material", { ...rsa.jwk, n: 3 }],
  ["a coordinate in a list", "material", { ...ec.jwk, x: [ec.jwk.x] }],
  ["RSA of 1024 bits", "size", rsaWith(1024)],
  ["RSA of 2047 bits", "size", { ...rsa.jwk, n: shortened() }],
  ["RSA of 10240 bits", "size", { ...rsa.jwk, n: repeated(5) }],
  ["RSA with the exponent 1", "size", { ...rsa.jwk, e: "AQ" }],
  ["RSA with a long exponent", "size", { ...rsa.jwk, e: "AQAAAAAB" }],
];

for (const [name, problem, jwk] of bad) {
  test(`leaves out ${name} and keeps the others`, async () => {
    const { byId, skipped } = await readKeys({ keys: [asJson(jwk), asJson({ ...ec.jwk, kid: "last" })] });
    assert.deepEqual(skipped, [{ index: 0, problem }]);
    assert.deepEqual([...byId.keys()], ["last"]);
  });
}

test("of two usable keys with one id the first is taken", async () => {
  const keys = [{ ...ec.jwk, use: "enc" }, ec.jwk, { ...rsa.jwk, kid: "ec" }, rsa.jwk].map(asJson);
  const { byId, skipped } = await readKeys({ keys });
  assert.deepEqual(skipped, [
    { index: 0, problem: "use" },
    { index: 2, problem: "id_duplicate" },
  ]);
  assert.equal(byId.get("ec")?.algorithm.names[0], "ES256");
  assert.deepEqual([...byId.keys()], ["ec", "rsa"]);
});

test("a hundred keys are read, and a set with more is refused whole", async () => {
  const many = (count: number) => ({
    keys: Array.from({ length: count }, (_, at) => asJson({ ...ec.jwk, kid: `k${at}` })),
  });
  assert.equal((await readKeys(many(100))).byId.size, 100);
  await assert.rejects(readKeys(many(101)), new KeySetError("too_many_keys"));
});

for (const document of [null, [], "keys", {}, { keys: {} }, { keys: null }, { keys: "ec" }]) {
  test(`${JSON.stringify(document)} is not a key set`, async () => {
    await assert.rejects(readKeys(document), new KeySetError("not_a_key_set"));
  });
}

test("a bad key in a published set does not stop the good ones", async (t) => {
  const { issuer, keySet, outcomes } = await givenKeySet(t);
  issuer.publish([{ kty: "oct", k: "AA", kid: "x" }, issuer.key().jwk]);
  assert.ok(await keySet.keyFor(issuer.key().id));
  assert.equal(await keySet.keyFor("x"), undefined);
  const skipped = [{ index: 0, problem: "private" }];
  assert.deepEqual(outcomes[0], { kind: "loaded", keyCount: 1, skipped });
});

/** As it would come from the wire: without the members that are undefined. */
function asJson(value: unknown): JsonValue {
  return JSON.parse(JSON.stringify(value));
}

/** A modulus of some times 2048 bits, which is no product of two primes, as nobody can tell. */
function repeated(times: number): string {
  const bytes = Buffer.from(rsa.jwk.n ?? "", "base64url");
  return Buffer.concat(Array(times).fill(bytes)).toString("base64url");
}

/** One bit less: the modulus with its highest bit cleared, and the next one set. */
function shortened(): string {
  const bytes = Buffer.from(rsa.jwk.n ?? "", "base64url");
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString("base64url");
}
