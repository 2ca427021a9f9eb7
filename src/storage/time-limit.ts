import { unavailable } from "../domain/fault.ts";

const RETRY_DELAY_MS = 500;

/**
 * Ends a statement that several callers wait for, or none: when the time is over the database is said to be out of reach.
 * (`AbortSignal.timeout` would make it the caller who went away.)
 */
export function timeLimit(timeoutMs: number): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => controller.abort(unavailable("database", RETRY_DELAY_MS)), timeoutMs).unref();
  return controller.signal;
}
