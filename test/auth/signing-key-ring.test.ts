import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { makeSigningKey } from "../../src/auth/signing-key.ts";
import { FaultError, unavailable } from "../../src/domain/fault.ts";
import { manualClock } from "../support/manual-clock.ts";
import {
  DAY_MS,
  givenRing,
  kidsOf,
  type MemoryStore,
  memoryStore,
  only,
  sealingKeys,
} from "../support/signing-keys.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

function givenStore(aheadMs = 0) {
  const clock = manualClock();
  return { clock, store: memoryStore(clock, aheadMs) };
}

test("the first key is added at once and signs at once", async () => {
  const { clock, store } = givenStore();
  const { ring, events } = await givenRing(store, { clock });
  const { kid } = only(store.keys);
  assert.equal(ring.current().kid, kid);
  assert.deepEqual(kidsOf(ring), [kid]);
  assert.equal((await ring.find(kid))?.kid, kid);
  assert.deepEqual(
    events.map((event) => event.kind),
    ["changed", "added", "changed"],
  );
});

test("while nothing changes nothing is added and nothing told", async () => {
  const { clock, store } = givenStore();
  const { events, nextLoad } = await givenRing(store, { clock });
  const before = [events.length, store.addCount];
  for (let round = 0; round < 3; round++) await nextLoad();
  assert.deepEqual([events.length, store.addCount], before);
});

test("a successor is published ten minutes before it signs, when the newest key has signed for its time", async () => {
  const { clock, store } = givenStore();
  const { ring, pass } = await givenRing(store, { clock });
  const first = ring.current().kid;
  await pass(30 * DAY_MS - MINUTE);
  assert.deepEqual(kidsOf(ring), [first]);
  await pass(2 * MINUTE);
  const [, second] = kidsOf(ring);
  assert.ok(second !== undefined);
  assert.equal(ring.current().kid, first);
  await pass(8 * MINUTE);
  assert.equal(ring.current().kid, first);
  await pass(2 * MINUTE);
  assert.equal(ring.current().kid, second);
  assert.deepEqual(kidsOf(ring), [first, second], "the old one stays for the tokens that it has signed");
  assert.equal((await ring.find(first))?.kid, first);
});

for (const aheadMs of [-DAY_MS, DAY_MS]) {
  test(`the database's clock decides when a key signs, though it is ${aheadMs / DAY_MS} days ahead of ours`, async () => {
    const { clock, store } = givenStore(aheadMs);
    const { ring, pass } = await givenRing(store, { clock });
    const first = ring.current().kid;
    assert.equal(ring.databaseNow(), clock.now() + aheadMs);
    await pass(30 * DAY_MS + MINUTE);
    assert.equal(store.keys.length, 2);
    assert.equal(ring.current().kid, first);
    await pass(10 * MINUTE);
    assert.equal(ring.current().kid, store.keys[1]?.kid);
  });
}

test("with nothing but keys that do not sign yet the oldest signs", async () => {
  const { clock, store } = givenStore();
  store.keys = [1, 2].map((days) => ({
    ...makeSigningKey(sealingKeys(1), randomBytes),
    signsFrom: new Date(clock.now() + days * DAY_MS),
  }));
  const { ring } = await givenRing(store);
  assert.equal(ring.current().kid, store.keys[0]?.kid);
  assert.equal(kidsOf(ring).length, 2);
});

test("while the database is away the last good set is used, and it is asked again with growing delays", async () => {
  const { clock, store } = givenStore();
  const { ring, events, nextLoad } = await givenRing(store, { clock });
  const { kid } = ring.current();
  store.isAway = true;
  const delays: number[] = [];
  for (let round = 0; round < 8; round++) {
    const before = clock.now();
    await nextLoad();
    delays.push(clock.now() - before);
    assert.equal(ring.current().kid, kid);
    assert.equal(ring.loaded(), true);
  }
  assert.deepEqual(delays, [28_500, 1_500, 3_000, 6_000, 12_000, 22_500, 22_500, 22_500]);
  assert.equal(events.filter((event) => event.kind === "failed").length, 8);
  store.isAway = false;
  await nextLoad();
  const before = clock.now();
  await nextLoad();
  assert.equal(clock.now() - before, 28_500);
});

test("until a key could be loaded there is none, for nobody", async () => {
  const { clock, store } = givenStore();
  store.isAway = true;
  const { ring, nextLoad } = await givenRing(store, { clock });
  const refusal = unavailable("signing_key", SECOND);
  assert.equal(ring.loaded(), false);
  for (const ask of [ring.current, ring.publicKeys, ring.databaseNow]) assert.throws(ask, refusal);
  await assert.rejects(ring.find("any"), refusal);
  store.isAway = false;
  await nextLoad();
  assert.equal(ring.loaded(), true);
  assert.ok(ring.current());
});

test("a key that another server has added is found at once", async () => {
  const { clock, store } = givenStore();
  const { ring } = await givenRing(store, { clock });
  clock.advance(SECOND);
  const other = await givenRing(store, { keyAgeSecondsMax: 1 });
  const [, added = ""] = kidsOf(other.ring);
  assert.deepEqual(kidsOf(ring).includes(added), false);
  assert.equal((await ring.find(added))?.kid, added);
  assert.deepEqual(kidsOf(ring), kidsOf(other.ring));
});

test("a flood of unknown key ids causes one look a second, which all of them wait for", async () => {
  const { clock, store } = givenStore();
  const { ring } = await givenRing(store, { clock });
  const before = store.listCount;
  for (let second = 0; second < 20; second++) {
    const flood = Promise.all(Array.from({ length: 100 }, (_, at) => ring.find(`unknown-${second}-${at}`)));
    // Within the second nobody is answered but by the look that is his.
    if (second > 0) clock.advance(SECOND - 1);
    await nextTurn();
    assert.equal(store.listCount - before, second === 0 ? 1 : second);
    if (second > 0) clock.advance(1);
    assert.ok((await flood).every((key) => key === undefined));
  }
});

test("a key that another server signs with already is never unknown, however short ago another one was", async () => {
  const { clock, store } = givenStore();
  const { ring } = await givenRing(store, { clock });
  assert.equal(await ring.find("unknown"), undefined);
  const made = makeSigningKey(sealingKeys(1), randomBytes);
  store.keys.push({ ...made, signsFrom: new Date(clock.now()) });
  const found = ring.find(made.kid);
  clock.advance(SECOND);
  assert.equal((await found)?.kid, made.kid);
});

test("who waits for a look when the ring is stopped learns nothing", async () => {
  const { clock, store } = givenStore();
  const { ring } = await givenRing(store, { clock });
  await ring.find("unknown");
  const waits = assert.rejects(ring.find("other"), unavailable("signing_key", SECOND));
  await nextTurn();
  ring.stop();
  await waits;
  assert.equal(clock.timerCount(), 0);
});

test("an unknown key id is no answer while the database is away, and a known one is", async () => {
  const { clock, store } = givenStore();
  const { ring, nextLoad } = await givenRing(store, { clock });
  const { kid } = ring.current();
  store.isAway = true;
  await assert.rejects(ring.find("unknown"), unavailable("signing_key", SECOND));
  const again = assert.rejects(ring.find("unknown"), unavailable("signing_key", SECOND));
  clock.advance(SECOND);
  await again;
  assert.equal((await ring.find(kid))?.kid, kid);
  store.isAway = false;
  await nextLoad();
  clock.advance(SECOND);
  assert.equal(await ring.find("unknown"), undefined);
});

/** Lets no answer of the store through until it is opened; what it has read by then it keeps. */
function heldBack(store: MemoryStore) {
  const { list } = store;
  const gate = Promise.withResolvers<void>();
  store.list = async (signal) => {
    const stored = await list(signal);
    await gate.promise;
    return stored;
  };
  return { open: gate.resolve };
}

test("a key that was added after a load had begun is found all the same", async () => {
  const { clock, store } = givenStore();
  const { ring } = await givenRing(store, { clock });
  const gate = heldBack(store);
  clock.advanceToTimer();
  const [key] = store.keys;
  assert.ok(key);
  store.keys.push({ ...makeSigningKey(sealingKeys(1), randomBytes), signsFrom: key.signsFrom });
  const kid = store.keys[1]?.kid ?? "";
  const found = ring.find(kid);
  gate.open();
  assert.equal((await found)?.kid, kid);
});

test("who gives up waiting leaves the load to the others", async () => {
  const { clock, store } = givenStore();
  const { ring } = await givenRing(store, { clock });
  const gate = heldBack(store);
  const leaving = new AbortController();
  const [left, stayed] = [ring.find("unknown", leaving.signal), ring.find("unknown")];
  leaving.abort(new FaultError({ kind: "cancelled" }));
  await assert.rejects(left, new FaultError({ kind: "cancelled" }));
  gate.open();
  assert.equal(await stayed, undefined);
});

test("a key that does not open is skipped and named, and the others are used", async () => {
  const { clock, store } = givenStore();
  const foreign = await givenRing(store, { clock, sealingKeys: sealingKeys(9) });
  const { kid } = foreign.ring.current();
  foreign.ring.stop();
  const { ring, events } = await givenRing(store);
  const skipped = { kid, problem: "not_sealed_by_us" };
  assert.deepEqual(
    events.map((event) => (event.kind === "changed" ? event.skipped : event.kind)),
    [[skipped], "added", [skipped]],
  );
  assert.equal(store.keys.length, 2);
  const own = only(kidsOf(ring));
  assert.notEqual(own, kid);
  assert.equal(ring.current().kid, own);
  assert.equal(await ring.find(kid), undefined);
});

test("after the root key has changed, keys that the retired one sealed are used until they go", async () => {
  const { clock, store } = givenStore();
  const before = await givenRing(store, { clock, sealingKeys: sealingKeys(1) });
  const old = before.ring.current().kid;
  before.ring.stop();
  const after = await givenRing(store, { clock, sealingKeys: sealingKeys(2, 1) });
  assert.equal(after.ring.current().kid, old);
  await after.pass(30 * DAY_MS);
  await after.pass(10 * MINUTE);
  const fresh = after.ring.current().kid;
  assert.notEqual(fresh, old);
  after.ring.stop();
  store.keys = store.keys.slice(1);
  const later = await givenRing(store, { clock, sealingKeys: sealingKeys(2) });
  assert.deepEqual(kidsOf(later.ring), [fresh]);
});

test("a withdrawn key is gone with the next load", async () => {
  const { clock, store } = givenStore();
  const { ring, pass } = await givenRing(store, { clock });
  const old = ring.current().kid;
  await pass(30 * DAY_MS + 20 * MINUTE);
  store.keys = store.keys.slice(1);
  await pass(MINUTE);
  assert.equal(kidsOf(ring).includes(old), false);
  assert.equal(await ring.find(old), undefined);
});

test("a ring that was stopped asks nothing more and goes on to sign", async () => {
  const { clock, store } = givenStore();
  const { ring, events } = await givenRing(store, { clock });
  const { kid } = ring.current();
  ring.stop();
  assert.equal(clock.timerCount(), 0);
  const before = store.listCount;
  clock.advance(DAY_MS);
  assert.equal(await ring.find("unknown").catch(() => undefined), undefined);
  assert.deepEqual([store.listCount, ring.current().kid], [before, kid]);
  assert.equal(
    events.some((event) => event.kind === "failed"),
    false,
  );
});
