import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { FaultError } from "../../src/domain/fault.ts";
import { type SharedReadsOptions, shareReads } from "../../src/domain/shared-reads.ts";

interface Read {
  readonly questions: readonly string[];
  /** Answers each question with itself and what the state was when the read was sent: `a@1`. */
  answer(): void;
  fail(err: unknown): void;
}

/** More than any of these tests reaches. */
const UNBOUNDED = { waitingMax: 20_000, waitMsMax: 600_000 };

/** Shared reads of a state that the test changes, each of which ends when the test says so. */
function given(options: Partial<SharedReadsOptions> = {}) {
  const world = { state: 1 };
  const reads: Read[] = [];
  const ask = shareReads<string, string>(
    (questions) => {
      const { state } = world;
      const { promise, resolve, reject } = Promise.withResolvers<string[]>();
      const answer = () => resolve(questions.map((question) => `${question}@${state}`));
      reads.push({ questions: [...questions], answer, fail: reject });
      return promise;
    },
    { readsMax: 1, questionsMax: 100, ...UNBOUNDED, ...options },
  );
  const asked = () => reads.map(({ questions }) => questions.join(""));
  return {
    world,
    reads,
    asked,
    ask: (question: string, signal = new AbortController().signal) => ask(question, signal),
  };
}

const gone = new FaultError({ kind: "deadline_exceeded" });

test("all that is asked in one turn of the event loop goes in one read, and each is answered in its place", async () => {
  const h = given();
  const first = [h.ask("a"), h.ask("b")];
  // Calls of one connection are parsed and answered in turns of promises.
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  const answers = Promise.all([...first, h.ask("a")]);
  assert.deepEqual(h.asked(), []);
  await nextTurn();
  assert.deepEqual(h.asked(), ["aba"]);
  h.reads[0]?.answer();
  assert.deepEqual(await answers, ["a@1", "b@1", "a@1"]);
});

test("a question is not answered by a read that was sent before it was asked", async () => {
  const h = given({ readsMax: 2 });
  const early = h.ask("a");
  await nextTurn();
  h.world.state = 2;
  const late = h.ask("a");
  await nextTurn();
  h.reads[0]?.answer();
  assert.equal(await early, "a@1");
  h.reads[1]?.answer();
  assert.equal(await late, "a@2");
});

test("whatever the order of questions, changes and ends of reads, nobody is answered from a state older than his call", async () => {
  const h = given({ readsMax: 3, questionsMax: 4 });
  const random = seeded(7);
  let done = 0;
  const waiting: Promise<void>[] = [];
  for (let step = 0; step < 3_000; step += 1) {
    const at = random(4);
    if (at === 0) h.world.state += 1;
    else if (at === 1) await nextTurn();
    else if (at === 2) h.reads[random(h.reads.length)]?.answer();
    else {
      const since = h.world.state;
      const answered = h.ask("q").then((answer) => {
        assert.ok(Number(answer.split("@")[1]) >= since, `${answer} was asked for at ${since}`);
        done += 1;
      });
      waiting.push(answered);
    }
  }
  while (done < waiting.length) {
    for (const read of h.reads) read.answer();
    await nextTurn();
  }
  await Promise.all(waiting);
  assert.ok(waiting.length > 500, `${waiting.length} questions`);
});

test("while as many reads are under way as there may be, questions wait, and then all of them go in one read", async () => {
  const h = given({ readsMax: 2 });
  const answers: Promise<string>[] = [];
  for (const question of ["a", "b", "c", "d", "e"]) {
    answers.push(h.ask(question));
    await nextTurn();
  }
  assert.deepEqual(h.asked(), ["a", "b"]);
  h.reads[1]?.answer();
  await answers[1];
  await nextTurn();
  assert.deepEqual(h.asked(), ["a", "b", "cde"]);
  for (const read of h.reads) read.answer();
  assert.deepEqual(await Promise.all(answers), ["a@1", "b@1", "c@1", "d@1", "e@1"]);
});

test("more questions than a read may have go in several, in the order in which they were asked", async () => {
  const h = given({ questionsMax: 3, readsMax: 2 });
  const answers = Promise.all([..."abcdefgh"].map((question) => h.ask(question)));
  await nextTurn();
  await nextTurn();
  assert.deepEqual(h.asked(), ["abc", "def"]);
  h.reads[1]?.answer();
  await nextTurn();
  await nextTurn();
  assert.deepEqual(h.asked(), ["abc", "def", "gh"]);
  for (const read of h.reads) read.answer();
  assert.equal((await answers).join(" "), "a@1 b@1 c@1 d@1 e@1 f@1 g@1 h@1");
});

test("a read that fails is an answer to none of its questions, and to nobody else", async () => {
  const h = given();
  const failed = [h.ask("a"), h.ask("b")].map((answer) => assert.rejects(answer, gone));
  await nextTurn();
  const later = h.ask("c");
  h.reads[0]?.fail(gone);
  await Promise.all(failed);
  await nextTurn();
  h.reads[1]?.answer();
  assert.equal(await later, "c@1");
});

test("a read that throws at once fails like one that rejects, and the next is sent", async () => {
  let broken = true;
  const ask = shareReads<string, string>(
    (questions) => {
      if (broken) throw gone;
      return Promise.resolve(questions);
    },
    { readsMax: 1, questionsMax: 1, ...UNBOUNDED },
  );
  const { signal } = new AbortController();
  await assert.rejects(ask("a", signal), gone);
  broken = false;
  assert.equal(await ask("b", signal), "b");
});

function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
}
