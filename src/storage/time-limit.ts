import { unavailable } from "../domain/fault.ts";

const RETRY_DELAY_MS = 500;

/**
 * Ends a statement that several callers wait for, or none: when the time is over the database is said to be out of reach.
 * (`AbortSignal.timeout` would make it the caller who went away.)
 */
export async function withTimeLimit<T>(
  timeoutMs: number,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const expire = () => controller.abort(unavailable("database", RETRY_DELAY_MS));
  const timer = setTimeout(expire, timeoutMs).unref();
  try {
    return await run(controller.signal);
  } finally {
    // Thousands of reads a second would otherwise each leave one behind.
    clearTimeout(timer);
  }
}
