import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { FaultError } from "../../src/domain/fault.ts";
import { shareReads } from "../../src/domain/shared-reads.ts";

/** One read at a time, of a database that answers when the test says so. */
function given(options: { readonly waitingMax?: number; readonly waitMsMax?: number } = {}) {
  const reads: { readonly questions: readonly string[]; end(): void }[] = [];
  const ask = shareReads<string, string>(
    (questions) => {
      const { promise, resolve } = Promise.withResolvers<readonly string[]>();
      reads.push({ questions, end: () => resolve(questions) });
      return promise;
    },
    { readsMax: 1, questionsMax: 100, waitingMax: 1_000, waitMsMax: 600_000, ...options },
  );
  const asked = () => reads.map(({ questions }) => questions.join(""));
  return { ask: (question: string) => ask(question, new AbortController().signal), asked, reads };
}

const isShed = (retryDelayMs: number) => (err: unknown) => {
  assert.ok(err instanceof FaultError);
  assert.deepEqual(err.fault, { kind: "unavailable", part: "database_queue", retryDelayMs, inDoubt: false });
  return true;
};

test("of a database that hangs, no more than may wait do so, and one more is told at once to come back", async () => {
  const h = given({ waitingMax: 3 });
  const hung = h.ask("a");
  await nextTurn();
  const waiting = [..."bcd"].map((question) => h.ask(question));
  for (let more = 0; more < 100; more += 1) await assert.rejects(h.ask("x"), isShed(600_000));
  h.reads[0]?.end();
  assert.equal(await hung, "a");
  await nextTurn();
  assert.deepEqual(h.asked(), ["a", "bcd"]);
  h.reads[1]?.end();
  assert.deepEqual(await Promise.all(waiting), ["b", "c", "d"]);
  const late = h.ask("e");
  await nextTurn();
  h.reads[2]?.end();
  assert.equal(await late, "e");
});

test("who waits for too long is told to come back, though the database hangs on, and is not asked about later", async () => {
  const h = given({ waitMsMax: 20 });
  const hung = h.ask("a");
  await nextTurn();
  for (const question of ["b", "c"]) {
    const from = performance.now();
    await assert.rejects(h.ask(question), isShed(20));
    assert.ok(performance.now() - from >= 20, "shed too early");
  }
  h.reads[0]?.end();
  assert.equal(await hung, "a");
  await nextTurn();
  assert.deepEqual(h.asked(), ["a"]);
});

test("who came later waits on when the first has waited for too long", async () => {
  const isLaterAnswered = async () => {
    const h = given({ waitMsMax: 200 });
    const hung = h.ask("a");
    await nextTurn();
    const first = assert.rejects(h.ask("b"), isShed(200));
    const from = performance.now();
    while (performance.now() - from < 100) await nextTurn();
    const later = h.ask("c").catch(() => "shed");
    await first;
    h.reads[0]?.end();
    await hung;
    await nextTurn();
    h.reads[1]?.end();
    return (await later) === "c";
  };
  // On a machine that stands still meanwhile both are too late: not every time.
  for (let attempt = 0; attempt < 5; attempt += 1) if (await isLaterAnswered()) return;
  assert.fail("it was shed with the first");
});

test("a process that was held up itself sheds nobody whose turn has come", async () => {
  const h = given({ waitMsMax: 20 });
  const first = h.ask("a");
  await nextTurn();
  const second = h.ask("b");
  h.reads[0]?.end();
  await first;
  const from = performance.now();
  while (performance.now() - from < 60) {}
  await nextTurn();
  await nextTurn();
  h.reads[1]?.end();
  assert.equal(await second, "b");
});
