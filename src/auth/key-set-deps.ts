import type { Fetch } from "./fetch-document.ts";
import type { KeySetError } from "./key-set-error.ts";
import type { SkippedKey } from "./published-keys.ts";

/** What a remote key set needs of the world; each has a default. */
export interface KeySetDeps {
  readonly fetch?: Fetch;
  /** In ms from any start; only differences count, so a monotonic clock is best. */
  readonly now?: () => number;
  /** From 0 to 1, for jitter. */
  readonly random?: () => number;
  /** Runs something once, after a delay in ms, unless the returned function is called before. */
  readonly after?: (delayMs: number, run: () => void) => () => void;
  /** Told the end of each attempt, for the log and metrics. */
  readonly onRefresh?: (outcome: KeySetRefresh) => void;
}

export type KeySetRefresh =
  | { readonly kind: "loaded"; readonly keyCount: number; readonly skipped: readonly SkippedKey[] }
  | { readonly kind: "failed"; readonly error: KeySetError; readonly retryDelayMs: number };

export const defaultKeySetDeps: Required<KeySetDeps> = {
  fetch: (input, init) => globalThis.fetch(input, init),
  now: () => performance.now(),
  random: Math.random,
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs).unref();
    return () => clearTimeout(timer);
  },
  onRefresh: () => undefined,
};
