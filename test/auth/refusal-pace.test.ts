import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createRefusalPace } from "../../src/auth/refusal-pace.ts";
import { FaultError } from "../../src/domain/fault.ts";

/** A clock that timers follow, and callers who say when they were let out. */
function given(t: TestContext) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let nowMs = 0;
  const pace = createRefusalPace(() => nowMs);
  const outAt: number[] = [];
  const pass = async (ms: number) => {
    for (let step = 0; step < ms; step += 1) {
      nowMs += 1;
      t.mock.timers.tick(1);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const refuse = (count: number, signal?: AbortSignal) =>
    Array.from({ length: count }, () => pace.turn(signal).then(() => void outAt.push(nowMs)));
  return { pace, outAt, pass, refuse, now: () => nowMs };
}

test("a hundred are refused at once, and those beyond them one every five milliseconds", async (t) => {
  const h = given(t);
  h.refuse(103);
  await h.pass(1);
  assert.equal(h.outAt.length, 100);
  await h.pass(19);
  assert.deepEqual(h.outAt.slice(100), [5, 10, 15]);
});

test("after half a second without one there is room for a hundred again", async (t) => {
  const h = given(t);
  h.refuse(100);
  await h.pass(500);
  h.refuse(101);
  await h.pass(1);
  assert.equal(h.outAt.length, 200);
});

test("nobody is held for longer than a second, however many come", async (t) => {
  const h = given(t);
  h.refuse(900);
  await h.pass(999);
  assert.ok(h.outAt.length < 900);
  await h.pass(1);
  assert.equal(h.outAt.length, 900);
});

test("no more than a thousand are held", async (t) => {
  const h = given(t);
  h.refuse(1_150);
  await h.pass(1);
  assert.equal(h.outAt.length, 150);
});

test("who goes is held no longer, and leaves his place to others", async (t) => {
  const h = given(t);
  const leaving = new AbortController();
  h.refuse(100);
  const left = h.refuse(1_000, leaving.signal);
  leaving.abort(new FaultError({ kind: "cancelled" }));
  for (const one of await Promise.allSettled(left))
    assert.ok(one.status === "rejected" && one.reason instanceof FaultError);
  h.refuse(1);
  await h.pass(1);
  assert.equal(h.outAt.length, 100);
  await h.pass(1_000);
  assert.equal(h.outAt.length, 101);
});
