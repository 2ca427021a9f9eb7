import assert from "node:assert/strict";
import { test } from "node:test";
import { createGuessThrottle, type GuessLimit, sourceKeyOf } from "../../src/auth/guess-throttle.ts";
import { manualClock } from "../support/manual-clock.ts";

const LIMIT: GuessLimit = { guessesMax: 3, refillMs: 1_000 };

function given(limit: Partial<GuessLimit> = {}, keysMax = 100) {
  const clock = manualClock(0);
  const throttle = createGuessThrottle({ ...LIMIT, ...limit }, keysMax, clock.now);
  const guess = (key: string, times = 1) => {
    for (let time = 0; time < times; time += 1) throttle.count(key);
  };
  return { clock, throttle, guess };
}

test("a key may guess as often as it may at once, and then once each refill", () => {
  const { clock, throttle, guess } = given();
  for (let time = 0; time < 3; time += 1) {
    assert.equal(throttle.delayMs("a"), 0, `guess ${time}`);
    guess("a");
  }
  assert.equal(throttle.delayMs("a"), 1_000);
  clock.advance(999);
  assert.equal(throttle.delayMs("a"), 1);
  clock.advance(1);
  assert.equal(throttle.delayMs("a"), 0);
  guess("a");
  assert.equal(throttle.delayMs("a"), 1_000);
  clock.advance(1_000);
  assert.equal(throttle.delayMs("a"), 0);
});

test("asking costs nothing, and what one key does is nothing to another", () => {
  const { throttle, guess } = given();
  guess("a", 3);
  for (let time = 0; time < 10; time += 1) {
    assert.deepEqual([throttle.delayMs("b"), throttle.delayMs("a")], [0, 1_000]);
  }
  assert.equal(throttle.size(), 1);
});

test("after a rest of all its refills a key may guess as often as a new one", () => {
  const { clock, throttle, guess } = given();
  guess("a", 3);
  clock.advance(3_000);
  guess("a", 2);
  assert.equal(throttle.delayMs("a"), 0);
  guess("a");
  assert.equal(throttle.delayMs("a"), 1_000);
  // A longer rest earns nothing.
  clock.advance(1_000_000);
  guess("a", 3);
  assert.equal(throttle.delayMs("a"), 1_000);
});

test("however long and often a key has guessed, it is free again one refill after it stops", () => {
  const { clock, throttle, guess } = given({ guessesMax: 60 });
  guess("a", 100_000);
  assert.equal(throttle.delayMs("a"), 1_000);
  clock.advance(1_000);
  assert.equal(throttle.delayMs("a"), 0);
});

test("whoever waits as long as he is told may guess, at whatever moment he asks", () => {
  const { clock, throttle, guess } = given({ guessesMax: 7, refillMs: 333 });
  for (let step = 0; step < 2_000; step += 1) {
    clock.advance((step * 7_919) % 457);
    const delayMs = throttle.delayMs("a");
    assert.ok(Number.isInteger(delayMs) && delayMs >= 0 && delayMs <= 333, `${delayMs} ms`);
    if (step % 3 === 0) clock.advance(delayMs);
    // A millisecond may be lost to rounding.
    if (step % 3 === 0) assert.ok(throttle.delayMs("a") <= 1, `step ${step}`);
    guess("a");
  }
});

test("a guess that is given back was never made, and more than were made are not given back", () => {
  const { clock, throttle, guess } = given();
  guess("a", 3);
  throttle.giveBack("a");
  assert.equal(throttle.delayMs("a"), 0);
  guess("a");
  assert.equal(throttle.delayMs("a"), 1_000);
  clock.advance(500);
  throttle.giveBack("a");
  guess("a");
  assert.equal(throttle.delayMs("a"), 500);
  for (let time = 0; time < 10; time += 1) throttle.giveBack("a");
  throttle.giveBack("never guessed");
  assert.equal(throttle.size(), 0);
  guess("a", 3);
  assert.equal(throttle.delayMs("a"), 1_000);
});

test("of too many keys the one that guessed least recently is forgotten, so that memory is bounded", () => {
  const { throttle, guess } = given({}, 3);
  for (const key of ["a", "b", "c"]) guess(key, 3);
  guess("a");
  guess("d", 3);
  assert.deepEqual(
    ["a", "b", "c", "d"].filter((key) => throttle.delayMs(key) > 0),
    ["a", "c", "d"],
  );
  for (let key = 0; key < 1_000; key += 1) guess(String(key));
  assert.equal(throttle.size(), 3);
});

const SOURCES: Readonly<Record<string, readonly string[]>> = {
  "192.0.2.1": ["192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201", "0:0:0:0:0:FFFF:192.0.2.1"],
  "192.0.2.2": ["192.0.2.2", "::ffff:192.0.2.2"],
  "2001:db8:0:0::/64": [
    "2001:db8::",
    "2001:db8::1",
    "2001:DB8:0:0::ffff",
    "2001:0db8:0000:0000:1:2:3:4",
    "2001:db8::1:2:3:4",
    "2001:db8:0:0:ffff::",
    "2001:db8::1.2.3.4",
    "2001:db8::1%eth0",
  ],
  "2001:db8:0:1::/64": [
    "2001:db8:0:1::",
    "2001:db8:0:1:2:3:4:5",
    "2001:db8::1:2:3:4:5",
    "2001:db8:0000:0001::5",
    "2001:db8::1:0:0:1.2.3.4",
  ],
  "1:0:0:4::/64": ["1:0:0:4:5:6:7:8", "1::4:5:6:7:8", "1::4:5:6:1.2.3.4"],
  "0:0:3:4::/64": ["0:0:3:4:5:6:7:8", "::3:4:5:6:7:8"],
  "0:0:0:0::/64": ["::", "::1", "0::0:1"],
  "a0:b0c:d:e::/64": ["00a0:0b0c:000d:e:1:2:3:4", "a0:b0c:d:e::"],
};
for (const [source, addresses] of Object.entries(SOURCES)) {
  test(`${source} is one source, however its addresses are written`, () => {
    for (const address of addresses) assert.equal(sourceKeyOf(address), source, address);
  });
}
