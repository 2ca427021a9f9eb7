import { AsyncLocalStorage } from "node:async_hooks";
import { type Ask, type SharedReadsOptions, shareReads } from "../domain/shared-reads.ts";
import type { Database } from "./database.ts";
import { withTimeLimit } from "./time-limit.ts";
import { askInSpan } from "./traced-database.ts";

/** Before the queue for a connection, and as long as that: who waits for both has waited too long. */
const SHARED: SharedReadsOptions = { readsMax: 2, questionsMax: 256, waitingMax: 2_048, waitMsMax: 200 };
const READ_TIMEOUT_MS = 5_000;

/**
 * Answers the questions of all who wait at the same moment by one statement.
 * @param name of the database function that it calls, for traces.
 * @throws FaultError unavailable when too many wait, or for too long; what the statement throws; the caller's own signal's.
 */
export function shareStatement<Question, Answer>(
  db: Database,
  name: string,
  read: (questions: readonly Question[], signal: AbortSignal) => Promise<readonly Answer[]>,
): Ask<Question, Answer> {
  const run = (questions: readonly Question[]) =>
    withTimeLimit(READ_TIMEOUT_MS, (signal) => read(questions, signal));
  if (db.currentSpan === undefined) return shareReads(run, SHARED);
  // It is nobody's in particular, so that it must not stand in the trace of the one whose call happened to send it.
  const outside = AsyncLocalStorage.snapshot();
  const ask = shareReads((questions: readonly Question[]) => outside(run, questions), SHARED);
  return (question, signal) => askInSpan(db, name, () => ask(question, signal));
}
