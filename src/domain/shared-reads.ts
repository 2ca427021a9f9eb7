import { unavailable } from "./fault.ts";
import { waitFor } from "./wait-for.ts";

export interface SharedReadsOptions {
  /** Reads under way at a time; questions that come in the meantime wait for the next. */
  readonly readsMax: number;
  /** Questions of one read. */
  readonly questionsMax: number;
  /** Questions that may wait to be sent; one more is shed. */
  readonly waitingMax: number;
  /** Milliseconds that a question waits to be sent before it is shed. */
  readonly waitMsMax: number;
}

/** Asks one question. Rejects like the read, with the signal's own fault, or with unavailable when too many ask. */
export type Ask<Question, Answer> = (question: Question, signal: AbortSignal) => Promise<Answer>;

interface Waiting<Question, Answer> {
  readonly question: Question;
  readonly since: number;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (err: unknown) => void;
}

/**
 * Lets callers that wait at the same moment share one read, which is sent after all of their questions have arrived: so
 * nobody is answered from a state that is older than his call. A caller who leaves takes nothing from the others, and his
 * question with him unless it was sent: while a database hangs, callers come and go. Those who wait are bounded, in number
 * and in time.
 * @param read answers each question in its place.
 */
export function shareReads<Question, Answer>(
  read: (questions: readonly Question[]) => Promise<readonly Answer[]>,
  { readsMax, questionsMax, waitingMax, waitMsMax }: SharedReadsOptions,
): Ask<Question, Answer> {
  const waiting = new Set<Waiting<Question, Answer>>();
  let reading = 0;
  let isScheduled = false;
  let isWatched = false;
  const shed = () => unavailable("database_queue", waitMsMax);

  /** One timer for all: they leave in the order of their coming, and a timer each would be on the way of every call. */
  function watch(afterMs: number): void {
    isWatched = true;
    // After the answers that have arrived: a process that was held up must not take its own delay for the database's.
    setTimeout(() => setImmediate(shedLate), afterMs).unref();
  }

  function shedLate(): void {
    isWatched = false;
    const now = performance.now();
    for (const asked of waiting) {
      const leftMs = asked.since + waitMsMax - now;
      // Whoever is about to be sent is not late.
      if (isScheduled || leftMs > 0) {
        watch(Math.max(leftMs, 1));
        break;
      }
      waiting.delete(asked);
      asked.reject(shed());
    }
  }

  /** After what has arrived in this turn of the event loop: calls that come over one connection come together. */
  function schedule(): void {
    if (isScheduled || reading >= readsMax || waiting.size === 0) return;
    isScheduled = true;
    setImmediate(() => {
      isScheduled = false;
      const together = [...waiting].slice(0, questionsMax);
      for (const asked of together) waiting.delete(asked);
      if (together.length > 0) void readTogether(together);
      schedule();
    });
  }

  async function readTogether(together: readonly Waiting<Question, Answer>[]): Promise<void> {
    reading += 1;
    try {
      const answers = await read(together.map(({ question }) => question));
      for (const [index, { resolve }] of together.entries()) resolve(answers[index] as Answer);
    } catch (err) {
      for (const { reject } of together) reject(err);
    }
    reading -= 1;
    schedule();
  }

  return async (question, signal) => {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    if (waiting.size >= waitingMax) throw shed();
    const asked = { question, since: performance.now(), resolve, reject };
    waiting.add(asked);
    if (!isWatched) watch(waitMsMax);
    schedule();
    try {
      return await waitFor(promise, signal);
    } finally {
      waiting.delete(asked);
    }
  };
}
