import { type Ask, type SharedReadsOptions, shareReads } from "../domain/shared-reads.ts";
import { withTimeLimit } from "./time-limit.ts";

/** Before the queue for a connection, and as long as that: who waits for both has waited too long. */
const SHARED: SharedReadsOptions = { readsMax: 2, questionsMax: 256, waitingMax: 2_048, waitMsMax: 200 };
const READ_TIMEOUT_MS = 5_000;

/**
 * Answers the questions of all who wait at the same moment by one statement.
 * @throws FaultError unavailable when too many wait, or for too long; what the statement throws; the caller's own signal's.
 */
export const shareStatement = <Question, Answer>(
  read: (questions: readonly Question[], signal: AbortSignal) => Promise<readonly Answer[]>,
): Ask<Question, Answer> =>
  shareReads((questions) => withTimeLimit(READ_TIMEOUT_MS, (signal) => read(questions, signal)), SHARED);
