import assert from "node:assert/strict";
import { test } from "node:test";
import { remoteKeySet } from "../../src/auth/remote-key-set.ts";
import { FaultError, unavailable } from "../../src/domain/fault.ts";
import { givenKeySet, problemOf } from "../support/key-set.ts";
import { manualClock } from "../support/manual-clock.ts";

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;

test("a hundred simultaneous callers cause one fetch", async (t) => {
  const { issuer, keySet } = await givenKeySet(t);
  const kid = issuer.key().id;
  const keys = await Promise.all(Array.from({ length: 100 }, () => keySet.keyFor(kid)));
  assert.equal(new Set(keys).size, 1);
  assert.equal(keys[0]?.id, kid);
  assert.deepEqual(issuer.requests, ["/.well-known/openid-configuration", "/keys"]);
});

test("nothing is fetched before somebody asks", async (t) => {
  const { issuer, keySet, clock } = await givenKeySet(t);
  clock.advance(HOUR);
  assert.equal(keySet.loaded(), false);
  assert.deepEqual(issuer.requests, []);
  await keySet.ready();
  assert.equal(keySet.loaded(), true);
});

test("an issuer that is down at the start is an outage, and its return is noticed without a caller", async (t) => {
  const { issuer, keySet, nextRefresh } = await givenKeySet(t);
  issuer.behave("status_500");
  await assert.rejects(keySet.keyFor(issuer.key().id), unavailable("key_set", 1_500));
  await assert.rejects(keySet.ready(), unavailable("key_set", 1_500));
  assert.equal(keySet.loaded(), false);
  issuer.behave("well");
  await nextRefresh();
  assert.ok(keySet.loaded());
  assert.ok(await keySet.keyFor(issuer.key().id));
});

test("callers during the back-off are told to wait and cause no request", async (t) => {
  const { issuer, keySet, clock } = await givenKeySet(t);
  issuer.behave("status_500");
  await assert.rejects(keySet.ready(), FaultError);
  const requestCount = issuer.requests.length;
  clock.advance(400);
  await assert.rejects(keySet.keyFor("any"), unavailable("key_set", 1_100));
  assert.equal(issuer.requests.length, requestCount);
});

test("failures back off from 1 s to 60 s, and a success starts over", async (t) => {
  const { issuer, keySet, outcomes, nextRefresh } = await givenKeySet(t);
  issuer.behave("status_500");
  await assert.rejects(keySet.ready(), FaultError);
  for (let round = 1; round < 8; round++) await nextRefresh();
  const delays = outcomes.map((outcome) => outcome.kind === "failed" && outcome.retryDelayMs);
  assert.deepEqual(delays, [1_500, 3_000, 6_000, 12_000, 24_000, 45_000, 45_000, 45_000]);
  issuer.behave("well");
  assert.equal((await nextRefresh()).kind, "loaded");
  issuer.behave("status_500");
  const failure = await nextRefresh();
  assert.equal(failure.kind === "failed" && failure.retryDelayMs, 1_500);
});

for (const [random, delayMs, delayMsMax] of [
  [0, 1_000, 30_000],
  [1, 2_000, 60_000],
] as const) {
  test(`with chance at ${random} the back-off stays between 1 s and 60 s`, async (t) => {
    const { issuer, keySet, outcomes, nextRefresh } = await givenKeySet(t, {
      deps: { random: () => random },
    });
    issuer.behave("status_500");
    await assert.rejects(keySet.ready(), unavailable("key_set", delayMs));
    for (let round = 0; round < 8; round++) await nextRefresh();
    const last = outcomes.at(-1);
    assert.equal(last?.kind === "failed" && last.retryDelayMs, delayMsMax);
  });
}

test("an outage is bridged with the last good set for 24 h, and no longer", async (t) => {
  const { issuer, keySet, clock, nextRefresh } = await givenKeySet(t);
  const kid = issuer.key().id;
  await keySet.ready();
  const endMs = clock.now() + 24 * HOUR;
  issuer.behave("status_500");
  await nextRefresh();
  clock.advance(endMs - 1 - clock.now());
  assert.ok(await keySet.keyFor(kid));
  assert.ok(keySet.loaded());
  clock.advance(1);
  assert.equal(keySet.loaded(), false);
  await assert.rejects(keySet.keyFor(kid), FaultError);
});

test("a caller that leaves takes nobody with him", async (t) => {
  const { issuer, keySet } = await givenKeySet(t);
  const leaving = new AbortController();
  const left = keySet.keyFor(issuer.key().id, leaving.signal);
  const stayed = keySet.keyFor(issuer.key().id);
  leaving.abort();
  await assert.rejects(left, new FaultError({ kind: "cancelled" }));
  assert.ok(await stayed);
  await assert.rejects(
    keySet.keyFor("unknown", AbortSignal.abort(new FaultError({ kind: "deadline_exceeded" }))),
    new FaultError({ kind: "deadline_exceeded" }),
  );
});

test("a timer that runs a moment early still tries again", async (t) => {
  const clock = manualClock();
  const after = (delayMs: number, run: () => void) => clock.after(delayMs - 1, run);
  const ended = Promise.withResolvers<void>();
  const { issuer, keySet } = await givenKeySet(t, {
    deps: { now: clock.now, after, onRefresh: (outcome) => outcome.kind === "loaded" && ended.resolve() },
  });
  issuer.behave("status_500");
  await assert.rejects(keySet.ready(), FaultError);
  issuer.behave("well");
  clock.advanceToTimer();
  await ended.promise;
  assert.ok(keySet.loaded());
});

test("close ends the fetch under way and every timer", async (t) => {
  const { issuer, keySet, clock, outcomes } = await givenKeySet(t);
  issuer.behave("hang");
  const asked = issuer.nextRequest();
  const waiting = assert.rejects(keySet.ready(), FaultError);
  await asked;
  keySet.close();
  await waiting;
  assert.equal(problemOf(outcomes[0]), "closed");
  assert.equal(clock.timerCount(), 0);
  await assert.rejects(keySet.keyFor("any"), FaultError);
  assert.equal(issuer.requests.length, 1);
});

test("after close the keys that are held still answer, and nothing is known of others", async (t) => {
  const { issuer, keySet, clock } = await givenKeySet(t);
  await keySet.ready();
  keySet.close();
  assert.equal(clock.timerCount(), 0);
  assert.ok(await keySet.keyFor(issuer.key().id));
  await assert.rejects(keySet.keyFor("unknown"), FaultError);
  assert.equal(issuer.requests.length, 2);
});

test("a listener that throws changes nothing", async (t) => {
  const { issuer, keySet } = await givenKeySet(t, {
    deps: {
      onRefresh: () => {
        throw new Error("from the listener");
      },
    },
  });
  assert.ok(await keySet.keyFor(issuer.key().id));
});

test("its own timers and clock do for a key set that is given none", async (t) => {
  const { issuer } = await givenKeySet(t);
  const keySet = remoteKeySet(issuer.url);
  assert.ok(await keySet.keyFor(issuer.key().id));
  keySet.close();
});

test("an issuer without https is refused at once", () => {
  assert.throws(() => remoteKeySet("http://issuer.example"), TypeError);
});
