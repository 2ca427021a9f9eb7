import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type SweeperOptions, startSweeper } from "../../src/storage/sweeper.ts";
import { manualClock } from "../support/manual-clock.ts";

const MINUTE = 60_000;

/** A sweeper over a database that has so many rows to give in each round, or fails, on a clock of its own. */
function given(rounds: readonly (number | Error)[]) {
  const clock = manualClock(0);
  const sweptAt: number[] = [];
  const told: (number | unknown)[] = [];
  const left = [...rounds];
  const run = async () => {
    sweptAt.push(clock.now());
    const round = left.shift() ?? 0;
    if (typeof round !== "number") throw round;
    return [{ swept: round }];
  };
  const options: SweeperOptions = {
    tombstoneRetentionSeconds: 1,
    onSwept: (rows) => void told.push(rows),
    onError: (err) => void told.push(err),
    random: () => 0.5,
    after: clock.after,
  };
  const sweeper = startSweeper({ run } as unknown as Parameters<typeof startSweeper>[0], options);
  return {
    clock,
    sweptAt,
    told,
    sweeper,
    async nextRound() {
      clock.advanceToTimer();
      await nextTurn();
    },
  };
}

test("while a round is full the next one follows after a short pause, and then it is a minute again", async () => {
  const h = given([1_000, 2_345, 1_000, 999, 7]);
  for (let round = 0; round < 5; round += 1) await h.nextRound();
  assert.deepEqual(
    h.sweptAt.map((at) => at - MINUTE),
    [0, 100, 200, 300, 300 + MINUTE],
  );
  assert.deepEqual(h.told, [1_000, 2_345, 1_000, 999, 7]);
});

test("a round that fails is told, and tried again at the usual time", async () => {
  const lost = new Error("lost");
  const h = given([1_000, lost, 0]);
  for (let round = 0; round < 3; round += 1) await h.nextRound();
  assert.deepEqual(
    h.sweptAt.map((at) => at - MINUTE),
    [0, 100, 100 + MINUTE],
  );
  assert.deepEqual(h.told, [1_000, lost, 0]);
});

test("a sweeper that is stopped in the middle of a full round begins no other", async () => {
  const h = given([1_000, 1_000]);
  h.clock.advanceToTimer();
  h.sweeper.stop();
  await nextTurn();
  assert.equal(h.clock.timerCount(), 0);
});
