import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createRefusalPace } from "../../src/auth/refusal-pace.ts";
import { FaultError } from "../../src/domain/fault.ts";

/** A clock that timers follow, and callers who say when they were let out. */
function given(t: TestContext, intervalMs = 2) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let nowMs = 0;
  const pace = createRefusalPace({ now: () => nowMs, intervalMs: () => intervalMs });
  const outAt: number[] = [];
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  const pass = async (ms: number) => {
    for (let step = 0; step < ms; step += 1) {
      nowMs += 1;
      t.mock.timers.tick(1);
      await settle();
    }
  };
  const refuse = (count: number, signal?: AbortSignal) =>
    Array.from({ length: count }, () => pace.turn(signal).then(() => void outAt.push(nowMs)));
  return { outAt, pass, refuse, settle };
}

test("a burst is refused at once, and those beyond it at the pace, those of 25 ms together", async (t) => {
  const h = given(t);
  h.refuse(32 + 30);
  await h.settle();
  assert.deepEqual(h.outAt, Array(32).fill(0));
  await h.pass(100);
  assert.deepEqual(h.outAt.slice(32), [...Array(12).fill(25), ...Array(13).fill(50), ...Array(5).fill(75)]);
});

test("after a quiet time there is room for a burst again", async (t) => {
  const h = given(t);
  h.refuse(32);
  await h.pass(64);
  h.refuse(33);
  await h.settle();
  assert.equal(h.outAt.length, 64);
});

test("who comes while others are held stands behind them", async (t) => {
  const h = given(t);
  h.refuse(40);
  await h.pass(24);
  h.refuse(10);
  await h.settle();
  assert.equal(h.outAt.length, 32);
  await h.pass(26);
  assert.deepEqual(h.outAt.slice(32), [...Array(12).fill(25), ...Array(6).fill(50)]);
});

test("no more than 256 are held, and none for longer than a second or so, however slow the hashes", async (t) => {
  const h = given(t, 10_000);
  h.refuse(32 + 256);
  h.refuse(1_000);
  await h.settle();
  assert.equal(h.outAt.length, 32 + 1_000);
  await h.pass(1_299);
  assert.equal(h.outAt.length, 32 + 1_000 + 255);
  await h.pass(1);
  assert.equal(h.outAt.length, 32 + 1_000 + 256);
});

test("who goes is held no longer, and leaves his place to others", async (t) => {
  const h = given(t);
  const leaving = new AbortController();
  h.refuse(32);
  const left = h.refuse(256, leaving.signal);
  leaving.abort(new FaultError({ kind: "cancelled" }));
  for (const one of await Promise.allSettled(left))
    assert.ok(one.status === "rejected" && one.reason instanceof FaultError);
  h.refuse(1);
  await h.settle();
  assert.equal(h.outAt.length, 32);
  await h.pass(25);
  assert.equal(h.outAt.length, 33);
});
