import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { FaultError } from "../../src/domain/fault.ts";
import { shareReads } from "../../src/domain/shared-reads.ts";

const gone = new FaultError({ kind: "deadline_exceeded" });

/** One read at a time, which ends when the test says so. */
function given() {
  const reads: { readonly questions: readonly string[]; end(err?: unknown): void }[] = [];
  const ask = shareReads<string, string>(
    (questions) => {
      const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>();
      reads.push({ questions, end: (err) => (err === undefined ? resolve(questions) : reject(err)) });
      return promise;
    },
    { readsMax: 1, questionsMax: 100, waitingMax: 20_000, waitMsMax: 600_000 },
  );
  /** Somebody who asks, and may leave. */
  const caller = (question: string) => {
    const controller = new AbortController();
    return { answer: ask(question, controller.signal), leave: () => controller.abort(gone) };
  };
  return { ask, caller, asked: () => reads.map(({ questions }) => questions.join("")), reads };
}

test("who leaves while his read is under way hears his own fault at once, and the others their answers", async () => {
  const h = given();
  const [stays, leaves] = [h.caller("a"), h.caller("b")];
  await nextTurn();
  leaves.leave();
  await assert.rejects(leaves.answer, gone);
  h.reads[0]?.end();
  assert.equal(await stays.answer, "a");
});

test("who leaves before his question was sent is not asked about", async () => {
  const h = given();
  const first = h.caller("a");
  await nextTurn();
  const [stays, leaves] = [h.caller("b"), h.caller("c")];
  leaves.leave();
  await assert.rejects(leaves.answer, gone);
  h.reads[0]?.end();
  await first.answer;
  await nextTurn();
  assert.deepEqual(h.asked(), ["a", "b"]);
  h.reads[1]?.end();
  assert.equal(await stays.answer, "b");
});

test("who had gone before he asked is not asked about, and when all have gone nothing is sent", async () => {
  const h = given();
  await assert.rejects(h.ask("a", AbortSignal.abort(gone)), gone);
  const leaves = h.caller("b");
  leaves.leave();
  await assert.rejects(leaves.answer, gone);
  await nextTurn();
  assert.deepEqual(h.asked(), []);
  const stays = h.caller("c");
  await nextTurn();
  h.reads[0]?.end();
  assert.equal(await stays.answer, "c");
});

test("those who came and left while the database hung are no work for it afterwards", async () => {
  const h = given();
  const hung = h.caller("a");
  await nextTurn();
  for (let count = 0; count < 10_000; count += 1) {
    const { answer, leave } = h.caller("x");
    leave();
    await assert.rejects(answer, gone);
  }
  const late = h.caller("b");
  h.reads[0]?.end();
  await hung.answer;
  await nextTurn();
  assert.deepEqual(h.asked(), ["a", "b"]);
  h.reads[1]?.end();
  await late.answer;
});

test("a read that fails when everybody has left is nobody's unhandled rejection", async (t) => {
  const unhandled: unknown[] = [];
  const onUnhandled = (err: unknown) => void unhandled.push(err);
  process.on("unhandledRejection", onUnhandled);
  t.after(() => process.off("unhandledRejection", onUnhandled));
  const h = given();
  const leaves = h.caller("a");
  await nextTurn();
  leaves.leave();
  await assert.rejects(leaves.answer, gone);
  h.reads[0]?.end(new Error("lost"));
  await nextTurn();
  await nextTurn();
  assert.deepEqual(unhandled, []);
});

test("a signal that outlives many questions keeps no listener of theirs", async () => {
  const h = given();
  const { signal } = new AbortController();
  let listeners = 0;
  const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
  Object.assign(signal, {
    addEventListener: (...args: Parameters<typeof add>) => {
      listeners += 1;
      add(...args);
    },
    removeEventListener: (...args: Parameters<typeof remove>) => {
      listeners -= 1;
      remove(...args);
    },
  });
  for (let round = 0; round < 3; round += 1) {
    const answers = Promise.all([h.ask("a", signal), h.ask("b", signal)]);
    await nextTurn();
    h.reads[round]?.end();
    await answers;
  }
  assert.equal(listeners, 0);
});
