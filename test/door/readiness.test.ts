import assert from "node:assert/strict";
import { test } from "node:test";
import { watchReadiness } from "../../src/readiness.ts";
import { manualClock } from "../support/manual-clock.ts";

/** A readiness whose parts are what the test says, one look after the other. */
async function given(...looks: (readonly string[])[]) {
  const clock = manualClock();
  const heard: boolean[] = [];
  let count = 0;
  const readiness = watchReadiness({
    look: async () => {
      const found = looks[count] ?? [];
      count += 1;
      return found;
    },
    after: clock.after,
  });
  readiness.watch((isReady) => heard.push(isReady));
  await readiness.looked;
  return {
    readiness,
    heard,
    clock,
    looks: () => count,
    async look() {
      clock.advanceToTimer();
      // The look itself and what follows from it.
      for (let turns = 0; turns < 5; turns += 1) await Promise.resolve();
    },
  };
}

const DOWN = ["database unreachable"];

test("a server is not ready before its parts were looked at, and ready when all of them do their work", async () => {
  const { heard, readiness } = await given([]);
  assert.deepEqual(heard, [false, true]);
  assert.deepEqual(readiness.unreadyParts(), []);
});

test("what fails at the start is named at once, and the first look that succeeds makes ready", async () => {
  const { heard, readiness, look } = await given(DOWN, ["signing key"], []);
  assert.deepEqual(readiness.unreadyParts(), DOWN);
  await look();
  assert.deepEqual(readiness.unreadyParts(), ["signing key"]);
  await look();
  assert.deepEqual([readiness.unreadyParts(), heard], [[], [false, true]]);
});

test("one look that fails, or two, change nothing; the third makes unready", async () => {
  const { heard, readiness, look } = await given([], DOWN, DOWN, [], DOWN, DOWN, DOWN);
  for (let looks = 0; looks < 5; looks += 1) await look();
  assert.deepEqual([readiness.unreadyParts(), heard], [[], [false, true]]);
  await look();
  assert.deepEqual([readiness.unreadyParts(), heard], [DOWN, [false, true, false]]);
});

test("a look that throws is one that fails", async () => {
  const clock = manualClock();
  const readiness = watchReadiness({ look: () => Promise.reject(new Error("defect")), after: clock.after });
  await readiness.looked;
  assert.deepEqual(readiness.unreadyParts(), ["unknown"]);
});

test("a drain makes unready at once, and nothing makes ready again", async () => {
  const { heard, readiness, look } = await given([], []);
  readiness.drain();
  assert.deepEqual([readiness.unreadyParts(), heard], [["draining"], [false, true, false]]);
  await look();
  assert.deepEqual([readiness.unreadyParts(), heard], [["draining"], [false, true, false]]);
});

test("after the end nobody looks any more", async () => {
  const { readiness, clock } = await given([]);
  readiness.stop();
  assert.equal(clock.timerCount(), 0);
});
