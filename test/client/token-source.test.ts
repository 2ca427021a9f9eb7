import assert from "node:assert/strict";
import { test } from "node:test";
import { createTokenSource, type MintedToken } from "../../src/client/token-source.ts";

const LIFETIME_MS = 900_000;

/** A service that answers when the test says so, at a time that the test sets. */
function givenSource({ random = 0.5 } = {}) {
  let nowMs = 0;
  const asked: PromiseWithResolvers<MintedToken>[] = [];
  const failures: unknown[] = [];
  const source = createTokenSource({
    mint: () => {
      const answer = Promise.withResolvers<MintedToken>();
      asked.push(answer);
      return answer.promise;
    },
    now: () => nowMs,
    random: () => random,
    onRefreshFailed: (err) => failures.push(err),
  });
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  return {
    source,
    failures,
    askedCount: () => asked.length,
    at: (ms: number) => {
      nowMs = ms;
    },
    async answer(accessToken: string, lifetimeMs = LIFETIME_MS) {
      asked.at(-1)?.resolve({ accessToken, lifetimeMs });
      await settled();
    },
    async fail(err = new Error("away")) {
      asked.at(-1)?.reject(err);
      await settled();
    },
  };
}

test("any number of callers at once ask the service once, and all get its answer", async () => {
  const { source, askedCount, answer } = givenSource();
  const waiting = Array.from({ length: 50 }, () => source.token());
  await answer("one");
  assert.deepEqual(new Set(await Promise.all(waiting)), new Set(["one"]));
  assert.equal(await source.token(), "one");
  assert.equal(askedCount(), 1);
});

test("a token is refreshed before its end, once, while callers go on with the old one", async () => {
  const { source, askedCount, answer, at } = givenSource();
  const first = source.token();
  await answer("one");
  await first;
  at(LIFETIME_MS * 0.7 - 1);
  assert.equal(await source.token(), "one");
  assert.equal(askedCount(), 1);
  at(LIFETIME_MS * 0.7);
  for (let call = 0; call < 10; call += 1) assert.equal(await source.token(), "one");
  assert.equal(askedCount(), 2);
  await answer("two");
  assert.equal(await source.token(), "two");
});

test("sources that start together do not refresh together", async () => {
  const refreshedAt = async (random: number) => {
    const { source, askedCount, answer, at } = givenSource({ random });
    const first = source.token();
    await answer("one");
    await first;
    for (let ms = 0; ; ms += 1_000) {
      at(ms);
      await source.token();
      if (askedCount() === 2) return ms / LIFETIME_MS;
    }
  };
  assert.deepEqual([await refreshedAt(0), await refreshedAt(1)], [0.6, 0.8]);
});

test("no token is given out past its end: then callers wait for the next one", async () => {
  const { source, askedCount, answer, at } = givenSource();
  const first = source.token();
  await answer("one");
  await first;
  at(LIFETIME_MS - 30_001);
  assert.equal(await source.token(), "one");
  at(LIFETIME_MS - 30_000);
  const late = [source.token(), source.token()];
  assert.equal(askedCount(), 2);
  await answer("two");
  assert.deepEqual(await Promise.all(late), ["two", "two"]);
});

test("the life of a token counts from when it was asked for, and one that came after its end is not given out", async () => {
  const { source, answer, at } = givenSource();
  const waiting = assert.rejects(source.token(), /ended before it came/);
  at(1_000);
  await answer("late", 1_000);
  await waiting;
});

test("a refresh that fails is told, tried again after a growing while, and hurts nobody until the end", async () => {
  const { source, askedCount, answer, fail, failures, at } = givenSource({ random: 1 });
  const first = source.token();
  await answer("one");
  await first;
  const begin = LIFETIME_MS * 0.8;
  const attempts: number[] = [];
  for (let ms = begin; ms < begin + 20_000; ms += 500) {
    at(ms);
    const before = askedCount();
    assert.equal(await source.token(), "one");
    if (askedCount() === before) continue;
    attempts.push(ms - begin);
    await fail();
  }
  assert.deepEqual(attempts, [0, 1_000, 3_000, 7_000, 15_000]);
  assert.equal(failures.length, attempts.length);
  at(LIFETIME_MS);
  const lost = assert.rejects(source.token(), /away/);
  await fail();
  await lost;
});

test("a token that was refused is forgotten; one that has been replaced since is not", async () => {
  const { source, askedCount, answer } = givenSource();
  const first = source.token();
  await answer("one");
  source.invalidate(await first);
  const second = source.token();
  await answer("two");
  assert.equal(await second, "two");
  source.invalidate("one");
  assert.equal(await source.token(), "two");
  assert.equal(askedCount(), 2);
});

test("who gives up waiting takes nobody along", async () => {
  const { source, askedCount, answer } = givenSource();
  const giveUp = new AbortController();
  const leaving = source.token(giveUp.signal);
  const staying = source.token();
  giveUp.abort(new Error("enough"));
  await assert.rejects(leaving, /enough/);
  await answer("one");
  assert.equal(await staying, "one");
  assert.equal(askedCount(), 1);
});
