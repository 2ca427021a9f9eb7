import { abortFault } from "./fault.ts";

/**
 * Waits for work that several callers share. One of them may leave early; the work goes on for the others, and a late
 * failure of it has a listener here and is never an unhandled rejection.
 * @throws FaultError the signal's own fault once it aborts, else what `work` throws.
 */
export async function waitFor<T>(work: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (signal === undefined) return work;
  const aborted = Promise.withResolvers<never>();
  const leave = () => aborted.reject(abortFault(signal));
  if (signal.aborted) leave();
  signal.addEventListener("abort", leave, { once: true });
  try {
    return await Promise.race([aborted.promise, work]);
  } finally {
    signal.removeEventListener("abort", leave);
  }
}
