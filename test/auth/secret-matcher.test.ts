import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { type TestContext, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Hasher } from "../../src/auth/hasher.ts";
import { createSecretMatcher } from "../../src/auth/secret-matcher.ts";
import { createVerifiedSecrets, type StoredHash } from "../../src/auth/verified-secrets.ts";
import { FaultError, unavailable } from "../../src/domain/fault.ts";

interface Verifying {
  readonly phc: string;
  readonly secret: string;
  end(): void;
  fail(err: unknown): void;
}

const STORED: StoredHash = { credentialUid: "uid-1", secretHash: "hash of right" };
const { signal } = new AbortController();
const overloaded = unavailable("hash_queue", 50);

/** A matcher over a hasher whose checks end when the test says so. */
function given(options: { readonly entriesMax?: number } = {}) {
  const verifying: Verifying[] = [];
  const world = { hashes: 0, hashFault: undefined as FaultError | undefined };
  const hasher: Pick<Hasher, "hash" | "verify"> = {
    async hash(secret) {
      world.hashes += 1;
      if (world.hashFault) throw world.hashFault;
      return `hash of ${secret} `;
    },
    verify: (phc, secret) => {
      const { promise, resolve, reject } = Promise.withResolvers<boolean>();
      const end = () => resolve(phc === `hash of ${secret}`);
      verifying.push({ phc, secret, end, fail: reject });
      return promise;
    },
  };
  const verified = createVerifiedSecrets(options.entriesMax ?? 10, randomBytes);
  const matcher = createSecretMatcher(hasher, verified);
  /** Ends the checks that run now. */
  const endAll = async () => {
    await nextTurn();
    for (const { end } of verifying) end();
  };
  return { matcher, verified, verifying, world, endAll };
}

test("the right secret matches by one hash and is known after that; a wrong one is neither", async () => {
  const h = given();
  assert.equal(h.matcher.isKnown("right", STORED), false);
  const answers = [h.matcher.matches("right", STORED, signal), h.matcher.matches("wrong", STORED, signal)];
  await h.endAll();
  assert.deepEqual(await Promise.all(answers), [true, false]);
  assert.deepEqual(
    [h.matcher.isKnown("right", STORED), h.matcher.isKnown("wrong", STORED), h.verified.size()],
    [true, false, 1],
  );
});

test("checks of one secret at the same moment share one hash, and those of others have their own", async () => {
  const h = given();
  const other = { credentialUid: "uid-2", secretHash: "hash of left" };
  const answers = Promise.all([
    ...Array.from({ length: 50 }, () => h.matcher.matches("right", STORED, signal)),
    h.matcher.matches("wrong", STORED, signal),
    h.matcher.matches("right", other, signal),
  ]);
  await h.endAll();
  assert.deepEqual(await answers, [...Array(50).fill(true), false, false]);
  assert.equal(h.verifying.length, 3);
});

test("once a check is done the next one of the same wrong secret takes a hash of its own", async () => {
  const h = given();
  for (const round of [1, 2, 3]) {
    const answer = h.matcher.matches("wrong", STORED, signal);
    await h.endAll();
    assert.equal(await answer, false);
    assert.equal(h.verifying.length, round);
  }
});

test("who leaves a shared check hears his own fault, and it goes on for the others", async () => {
  const h = given();
  const controller = new AbortController();
  const leaves = h.matcher.matches("right", STORED, controller.signal);
  const stays = h.matcher.matches("right", STORED, signal);
  const fault = new FaultError({ kind: "deadline_exceeded" });
  controller.abort(fault);
  await assert.rejects(leaves, fault);
  await h.endAll();
  assert.equal(await stays, true);
  assert.equal(h.verifying.length, 1);
});

test("a hasher that fails is no answer, to none who wait, and is asked again by the next", async () => {
  const h = given();
  const failed = [1, 2].map(() => assert.rejects(h.matcher.matches("right", STORED, signal), overloaded));
  await nextTurn();
  h.verifying[0]?.fail(overloaded);
  await Promise.all(failed);
  assert.equal(h.matcher.isKnown("right", STORED), false);
  const again = h.matcher.matches("right", STORED, signal);
  await h.endAll();
  assert.equal(await again, true);
});

test("a check that fails when everybody has left is nobody's unhandled rejection", async (t) => {
  const unhandled = givenUnhandled(t);
  const h = given();
  const controller = new AbortController();
  const left = [
    h.matcher.matches("right", STORED, controller.signal),
    h.matcher.mismatch("right", controller.signal),
  ].map((answer) => assert.rejects(answer, { message: "cancelled" }));
  await nextTurn();
  controller.abort();
  await Promise.all(left);
  assert.equal(h.verifying.length, 2);
  for (const { fail } of h.verifying) fail(new Error("lost"));
  await nextTurn();
  await nextTurn();
  assert.deepEqual(unhandled, []);
});

test("a mismatch takes exactly one hash of the usual kind, the first one too, and leaves nothing behind", async () => {
  const h = given();
  await nextTurn();
  const hashesBefore = h.world.hashes;
  for (const secret of ["one", "two", "keyturn decoy"]) {
    const answer = h.matcher.mismatch(secret, signal);
    await h.endAll();
    assert.equal(await answer, false);
  }
  assert.equal(h.world.hashes - hashesBefore, 0);
  assert.deepEqual(
    h.verifying.map(({ secret }) => secret),
    ["one", "two", "keyturn decoy"],
  );
  assert.equal(new Set(h.verifying.map(({ phc }) => phc)).size, 1);
  assert.equal(h.verified.size(), 0);
});

test("mismatches of one secret at the same moment share one hash, as checks of a credential do", async () => {
  const h = given();
  const answers = Promise.all([1, 2, 3].map(() => h.matcher.mismatch("wrong", signal)));
  await h.endAll();
  assert.deepEqual(await answers, [false, false, false]);
  assert.equal(h.verifying.length, 1);
});

test("a hasher that fails at a mismatch is no answer, and the next one is", async () => {
  const h = given();
  const failed = assert.rejects(h.matcher.mismatch("wrong", signal), overloaded);
  await nextTurn();
  h.verifying[0]?.fail(overloaded);
  await failed;
  const again = h.matcher.mismatch("wrong", signal);
  await h.endAll();
  assert.equal(await again, false);
});

test("for somebody who has gone no hash is started", async () => {
  const h = given();
  const left = AbortSignal.abort();
  await assert.rejects(h.matcher.matches("right", STORED, left), { message: "cancelled" });
  await assert.rejects(h.matcher.mismatch("right", left), { message: "cancelled" });
  await nextTurn();
  assert.equal(h.verifying.length, 0);
});

test("a hasher that fails before anybody has asked is nobody's unhandled rejection", async (t) => {
  const unhandled = givenUnhandled(t);
  const world = { hashFault: overloaded };
  createSecretMatcher(
    { ...brokenOf(world), verify: async () => false },
    createVerifiedSecrets(1, randomBytes),
  );
  await nextTurn();
  await nextTurn();
  assert.deepEqual(unhandled, []);
});

test("what stands for the hash of nobody is made again after it could not be made", async () => {
  const h = given();
  h.world.hashFault = overloaded;
  const refused = createSecretMatcher(
    { ...brokenOf(h.world), verify: async () => false },
    createVerifiedSecrets(1, randomBytes),
  );
  await assert.rejects(refused.mismatch("wrong", signal), overloaded);
  await assert.rejects(refused.mismatch("wrong", signal), overloaded);
  h.world.hashFault = undefined;
  assert.equal(await refused.mismatch("wrong", signal), false);
});

/** Rejections that nobody has listened to since. */
function givenUnhandled(t: TestContext): readonly unknown[] {
  const unhandled: unknown[] = [];
  const onUnhandled = (err: unknown) => void unhandled.push(err);
  process.on("unhandledRejection", onUnhandled);
  t.after(() => process.off("unhandledRejection", onUnhandled));
  return unhandled;
}

/** A hasher that fails for as long as the world has a fault. */
const brokenOf = (world: { readonly hashFault: FaultError | undefined }): Pick<Hasher, "hash"> => ({
  async hash() {
    if (world.hashFault) throw world.hashFault;
    return "hash";
  },
});
