import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";
import { inspect } from "node:util";
import { getHeapSnapshot } from "node:v8";
import { createVerifiedSecrets, type StoredHash } from "../../src/auth/verified-secrets.ts";

const STORED: StoredHash = { credentialUid: "uid-1", secretHash: "hash-1" };

/** In one piece: the snapshot of a heap does not show what a string is put together from. */
const secretOf = (seed: number): string => createHash("sha384").update(String(seed)).digest("base64url");

test("a secret that matched is known, and no other", () => {
  const verified = createVerifiedSecrets(10, randomBytes);
  assert.equal(verified.has("right", STORED), false);
  verified.add("right", STORED);
  assert.equal(verified.has("right", STORED), true);
  for (const wrong of ["", "Right", "right ", "righ", "wrong"]) {
    assert.equal(verified.has(wrong, STORED), false, wrong);
  }
  assert.equal(verified.size(), 1);
});

test("a match is of one credential and one hash: neither another credential nor a new hash is matched by it", () => {
  const verified = createVerifiedSecrets(10, randomBytes);
  verified.add("right", STORED);
  assert.equal(verified.has("right", { ...STORED, credentialUid: "uid-2" }), false);
  assert.equal(verified.has("right", { ...STORED, secretHash: "hash-2" }), false);
  const rehashed = { ...STORED, secretHash: "hash-2" };
  verified.add("right", rehashed);
  assert.deepEqual([verified.has("right", rehashed), verified.has("right", STORED)], [true, false]);
  assert.equal(verified.size(), 1);
});

test("what is changed in the stored hash afterwards changes no match", () => {
  const verified = createVerifiedSecrets(10, randomBytes);
  const stored = { ...STORED };
  verified.add("right", stored);
  stored.secretHash = "hash-2";
  assert.deepEqual([verified.has("right", STORED), verified.has("right", stored)], [true, false]);
});

test("of more matches than there may be, the one that was used least recently is forgotten", () => {
  const verified = createVerifiedSecrets(3, randomBytes);
  for (const secret of ["a", "b", "c"]) verified.add(secret, STORED);
  assert.equal(verified.has("a", STORED), true);
  verified.add("b", STORED);
  verified.add("d", STORED);
  assert.deepEqual(
    ["a", "b", "c", "d"].filter((secret) => verified.has(secret, STORED)),
    ["a", "b", "d"],
  );
  // Asking whether it matches another hash is no use.
  verified.has("a", { ...STORED, secretHash: "hash-2" });
  verified.add("e", STORED);
  assert.equal(verified.has("a", STORED), false);
  for (let seed = 0; seed < 1_000; seed += 1) verified.add(secretOf(seed), STORED);
  assert.equal(verified.size(), 3);
});

test("with room for none nothing is kept", () => {
  const verified = createVerifiedSecrets(0, randomBytes);
  verified.add("right", STORED);
  assert.deepEqual([verified.has("right", STORED), verified.size()], [false, 0]);
});

test("each process has a key of its own, from the source of randomness", () => {
  const sizes: number[] = [];
  const counted = (size: number) => {
    sizes.push(size);
    return randomBytes(size);
  };
  createVerifiedSecrets(1, counted);
  createVerifiedSecrets(1, counted);
  assert.deepEqual(sizes, [32, 32]);
});

test("neither a print nor the heap shows anything of the secrets that matched", async () => {
  const verified = createVerifiedSecrets(100, randomBytes);
  for (let seed = 0; seed < 100; seed += 1) verified.add(secretOf(seed), STORED);
  const printed = inspect(verified, { depth: Infinity, showHidden: true }) + JSON.stringify(verified);
  const heap = await heapText();
  assert.equal(verified.size(), 100);
  // The snapshot does show what is kept beside them.
  assert.ok(heap.includes(STORED.secretHash));
  for (let seed = 0; seed < 100; seed += 1) {
    // Made anew only now, so that the test itself held none meanwhile.
    const secret = secretOf(seed);
    assert.ok(!printed.includes(secret) && !heap.includes(secret), `secret ${seed}`);
  }
});

/** Every string of the heap, once what nobody holds has been collected. */
async function heapText(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of getHeapSnapshot()) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}
