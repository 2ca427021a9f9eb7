import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { createHashGate } from "../../src/auth/hash-gate.ts";
import { FaultError } from "../../src/domain/fault.ts";

/** A gate of one permit, which is taken, and work that says in which order it was begun. */
function givenFullGate(queueMax: number) {
  const gate = createHashGate({ permits: 1, queueMax, now: () => 0, random: () => 0 });
  const begun: string[] = [];
  const refused: string[] = [];
  const first = Promise.withResolvers<void>();
  void gate.enter(() => first.promise);
  const ask = (group: string, name: string) =>
    gate
      .enter(async () => void begun.push(name), undefined, group)
      .catch((err: unknown) => {
        assert.ok(err instanceof FaultError && err.fault.kind === "unavailable");
        refused.push(name);
      });
  return { gate, begun, refused, ask, open: first.resolve };
}

test("groups take turns, and callers of one group come in their order", async () => {
  const { begun, ask, open } = givenFullGate(8);
  const asked = ["a1", "a2", "a3", "a4", "b1", "c1", "c2"].map((name) => ask(name.slice(0, 1), name));
  open();
  await Promise.all(asked);
  assert.deepEqual(begun, ["a1", "b1", "c1", "a2", "c2", "a3", "a4"]);
});

test("a group that fills the queue gives up its last places to others, until all have as many", async () => {
  const { gate, begun, refused, ask, open } = givenFullGate(4);
  const asked = ["a1", "a2", "a3", "a4", "a5", "b1", "b2", "b3"].map((name) => ask(name.slice(0, 1), name));
  await Promise.resolve();
  open();
  await Promise.all(asked);
  assert.deepEqual(begun, ["a1", "b1", "a2", "b2"]);
  assert.deepEqual(refused.toSorted(), ["a3", "a4", "a5", "b3"]);
  assert.equal(gate.stats().shed, 4);
  assert.equal(gate.stats().queued, 0);
});

test("whoever leaves the queue leaves his place to others, and the turn of his group to the rest of it", async () => {
  const { gate, begun, ask, open } = givenFullGate(3);
  const leaving = new AbortController();
  const left = assert.rejects(gate.enter(async () => {}, leaving.signal, "a"));
  const asked = [ask("b", "b1"), ask("a", "a2")];
  leaving.abort(new FaultError({ kind: "cancelled" }));
  await left;
  asked.push(ask("b", "b2"));
  assert.deepEqual([gate.stats().queued, gate.stats().abandoned], [3, 1]);
  open();
  await Promise.all(asked);
  assert.deepEqual(begun.toSorted(), ["a2", "b1", "b2"]);
});

test("who is refused with a signal of his own is held, and anybody else never", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { gate, ask, refused } = givenFullGate(0);
  const caller = new AbortController();
  const held = Array.from({ length: 40 }, () =>
    gate.enter(async () => {}, caller.signal).catch(() => "gone"),
  );
  const shared = Array.from({ length: 40 }, (_, n) => ask("", `check ${n}`));
  await nextTurn();
  assert.equal(refused.length, 40);
  caller.abort(new FaultError({ kind: "cancelled" }));
  await Promise.all([...held, ...shared]);
});
