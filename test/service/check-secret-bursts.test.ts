import assert from "node:assert/strict";
import { test } from "node:test";
import { FaultError, unavailable } from "../../src/domain/fault.ts";
import { credentialIdOf, givenCheck, newSecret } from "./given-check.ts";

const kindsOf = async (checks: readonly ReturnType<ReturnType<typeof givenCheck>["check"]>[]) => {
  const kinds: Record<string, number> = {};
  for (const { kind } of await Promise.all(checks)) kinds[kind] = (kinds[kind] ?? 0) + 1;
  return kinds;
};
const many = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);

test("of a hundred guesses at one credential at the same moment no more than ten are looked at", async () => {
  const h = givenCheck();
  const secret = h.givenSecret();
  const guesses = many(100, () => h.check(newSecret(credentialIdOf(secret))));
  assert.deepEqual(await kindsOf(guesses), { refused: 10, throttled: 90 });
  assert.equal(h.did().filter((did) => did === "hash").length, 10);
});

test("of a hundred guesses at as many credentials at the same moment no more than sixty are looked at", async () => {
  const h = givenCheck();
  const guesses = many(100, () => h.check(newSecret()));
  assert.deepEqual(await kindsOf(guesses), { refused: 60, throttled: 40 });
});

test("a hundred who present the right secret at the same moment, for the first time, are all let in by one hash", async () => {
  const h = givenCheck();
  const secret = h.givenSecret();
  assert.deepEqual(await kindsOf(many(100, () => h.check(secret))), { verified: 100 });
  assert.equal(h.did().filter((did) => did === "hash").length, 1);
});

for (const fault of [unavailable("hash_queue", 500), new FaultError({ kind: "deadline_exceeded" })]) {
  test(`a guess that ends by ${fault.fault.kind} is given back`, async () => {
    const limit = { guessesMax: 1, refillMs: 1_000_000 };
    const h = givenCheck({ credentialLimit: limit, sourceLimit: limit });
    const secret = h.givenSecret();
    h.faults.hash = fault;
    for (let time = 0; time < 5; time += 1) await assert.rejects(h.check(secret), fault);
    delete h.faults.hash;
    assert.equal((await h.check(secret)).kind, "verified");
  });
}

test("hashes of those who hang up are counted as guesses: however many do, no more are made than the limit lets in", async () => {
  const limit = { guessesMax: 3, refillMs: 1_000_000 };
  const h = givenCheck({ credentialLimit: limit });
  const secret = h.givenSecret();
  for (let time = 0; time < 20; time += 1) {
    const hangUp = new AbortController();
    h.onHash(() => hangUp.abort());
    await h.check(newSecret(credentialIdOf(secret)), {}, hangUp.signal).catch(() => {});
  }
  assert.equal(h.did().filter((did) => did === "hash").length, 3);
});

test("whoever hangs up on a guess does not let it be made for nothing by another", async () => {
  const h = givenCheck({ credentialLimit: { guessesMax: 1, refillMs: 1_000_000 } });
  const secret = h.givenSecret();
  const wrong = newSecret(credentialIdOf(secret));
  const hangUp = new AbortController();
  h.onHash(() => hangUp.abort());
  const gone = assert.rejects(h.check(wrong, {}, hangUp.signal));
  assert.equal((await h.check(wrong)).kind, "refused");
  await gone;
  assert.equal((await h.check(secret)).kind, "throttled");
});
