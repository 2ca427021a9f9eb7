import { waitFor } from "./wait-for.ts";

export interface SharedReadsOptions {
  /** Reads under way at a time; questions that come in the meantime wait for the next. */
  readonly readsMax: number;
  /** Questions of one read. */
  readonly questionsMax: number;
}

/** Asks one question. Rejects like the read, or with the signal's own fault. */
export type Ask<Question, Answer> = (question: Question, signal: AbortSignal) => Promise<Answer>;

interface Waiting<Question, Answer> {
  readonly question: Question;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (err: unknown) => void;
}

/**
 * Lets callers that wait at the same moment share one read, which is sent after all of their questions have arrived: so
 * nobody is answered from a state that is older than his call. A caller who leaves takes nothing from the others, and his
 * question with him unless it was sent: while a database hangs, callers come and go.
 * @param read answers each question in its place.
 */
export function shareReads<Question, Answer>(
  read: (questions: readonly Question[]) => Promise<readonly Answer[]>,
  { readsMax, questionsMax }: SharedReadsOptions,
): Ask<Question, Answer> {
  const waiting = new Set<Waiting<Question, Answer>>();
  let reading = 0;
  let isScheduled = false;

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
    const asked = { question, resolve, reject };
    waiting.add(asked);
    schedule();
    try {
      return await waitFor(promise, signal);
    } finally {
      waiting.delete(asked);
    }
  };
}
