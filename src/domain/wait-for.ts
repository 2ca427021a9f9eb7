import { abortFault } from "./fault.ts";

/**
 * Waits for work that several callers share. One of them may leave early; the work goes on for the others, and a late
 * failure of it has a listener here and is never an unhandled rejection.
 * @throws FaultError the signal's own fault once it aborts, else what `work` throws.
 */
export function waitFor<T>(work: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (signal === undefined) return work;
  // Not `Promise.race`, which keeps a promise more for each call: this is on the way of every one.
  return new Promise((resolve, reject) => {
    const leave = () => reject(abortFault(signal));
    if (signal.aborted) leave();
    signal.addEventListener("abort", leave, { once: true });
    const settled = () => signal.removeEventListener("abort", leave);
    work.then(
      (value) => {
        settled();
        resolve(value);
      },
      (err: unknown) => {
        settled();
        reject(err);
      },
    );
  });
}
