import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { createVerifiedSecrets } from "../../src/auth/verified-secrets.ts";
import type { Principal } from "../../src/domain/principal.ts";
import { rehash } from "../../src/service/rehash.ts";
import type { CheckedCredential } from "../../src/storage/credential-checks.ts";

const found = (secretHash: string): CheckedCredential => ({
  principal: { credentialUid: "uid-1" } as Principal,
  secretHash,
  refusal: undefined,
});

/** Rehashes by a hasher whose hashes end when the test says so. */
function given(options: { readonly isHasherBusy?: boolean } = {}) {
  const hashing: PromiseWithResolvers<string>[] = [];
  const stored: string[] = [];
  const errors: unknown[] = [];
  const world = { isHasherBusy: options.isHasherBusy ?? false, storeFault: undefined as Error | undefined };
  const verified = createVerifiedSecrets(10, randomBytes);
  const run = rehash({
    verified,
    hasher: {
      isCheaper: (phc) => phc.startsWith("old"),
      tryHashIdle() {
        if (world.isHasherBusy) return undefined;
        const hash = Promise.withResolvers<string>();
        hashing.push(hash);
        return hash.promise;
      },
    },
    async replaceHash({ credentialUid }, oldHash, newHash) {
      if (world.storeFault) throw world.storeFault;
      stored.push(`${credentialUid} ${oldHash} ${newHash}`);
    },
    onError: (err) => void errors.push(err),
  });
  return { run, hashing, stored, errors, world, verified };
}

test("a hash of less work is replaced by one of today's, which is said to be of the one that was checked", async () => {
  const h = given();
  h.run("right", found("old"));
  assert.deepEqual(h.stored, []);
  h.hashing[0]?.resolve("new");
  await nextTurn();
  assert.deepEqual([h.stored, h.errors], [["uid-1 old new"], []]);
});

test("a hash of as much work is let be, and so is every one while the hasher has work", () => {
  const h = given();
  h.run("right", found("new"));
  h.world.isHasherBusy = true;
  h.run("right", found("old"));
  assert.equal(h.hashing.length, 0);
  h.world.isHasherBusy = false;
  h.run("right", found("old"));
  assert.equal(h.hashing.length, 1);
});

const hashOf = (secretHash: string) => ({ credentialUid: "uid-1", secretHash });

test("a secret that was known to match the old hash is known to match the new one, once that is stored", async () => {
  const h = given();
  h.verified.add("right", hashOf("old"));
  h.run("right", found("old"));
  assert.equal(h.verified.has("right", hashOf("old")), true);
  h.hashing[0]?.resolve("new");
  await nextTurn();
  assert.equal(h.verified.has("right", hashOf("new")), true);
});

test("what is known instead of the old hash, or not at all, is not changed by the new one", async () => {
  for (const known of [undefined, "another replica's"]) {
    const h = given();
    h.run("right", found("old"));
    if (known !== undefined) h.verified.add("right", hashOf(known));
    h.hashing[0]?.resolve("new");
    await nextTurn();
    assert.equal(h.verified.has("right", hashOf("new")), false, known);
    assert.equal(h.verified.size(), known === undefined ? 0 : 1);
  }
});

test("one at a time is hashed anew, until it is stored", async () => {
  const h = given();
  for (let use = 0; use < 5; use += 1) h.run("right", found("old"));
  assert.equal(h.hashing.length, 1);
  h.hashing[0]?.resolve("new");
  await nextTurn();
  h.run("right", found("old"));
  assert.equal(h.hashing.length, 2);
});

test("a hash that fails, or cannot be stored, is told of and made at a later use", async () => {
  const h = given();
  const [noMemory, noDatabase] = [new Error("no memory"), new Error("no database")];
  h.run("right", found("old"));
  h.hashing[0]?.reject(noMemory);
  await nextTurn();
  h.world.storeFault = noDatabase;
  h.run("right", found("old"));
  h.hashing[1]?.resolve("new");
  await nextTurn();
  assert.deepEqual([h.errors, h.stored], [[noMemory, noDatabase], []]);
  h.world.storeFault = undefined;
  h.run("right", found("old"));
  h.hashing[2]?.resolve("new");
  await nextTurn();
  assert.deepEqual(h.stored, ["uid-1 old new"]);
});
