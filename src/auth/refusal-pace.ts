import { abortFault } from "../domain/fault.ts";

/** So many may go at once after a quiet time. */
const BURST = 32;
/** So many are held, 20 KiB each, for little more than a second; those beyond go at once. */
const HELD_MAX = 256;
const INTERVAL_MS_MAX = 5;
/** Those that are due in so long a time go together: one at a time costs the processor three times as much. */
const BATCH_MS = 25;

/** Lets refusals out at a pace. */
export interface RefusalPace {
  /** Resolves when a caller may be told that he is refused. Rejects with the signal's fault when he goes before that. */
  turn(signal?: AbortSignal): Promise<void>;
}

export interface RefusalPaceDeps {
  /** A monotonic clock in milliseconds. */
  readonly now: () => number;
  /** What lies between two refusals, in milliseconds, where they do not stop. More than five are taken for five. */
  readonly intervalMs: () => number;
}

/**
 * Callers who come again at once take as many refusals as there is processor for, and the hashes of those who were let in
 * get what is left. So a few are refused at once, and those beyond one after another: the generic cell rate algorithm
 * (ITU-T I.371) with a line in front of it.
 */
export function createRefusalPace({ now, intervalMs }: RefusalPaceDeps): RefusalPace {
  const line = new Set<() => void>();
  /** When the next refusal would be due if all had gone at the pace. */
  let dueAt = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;

  const everyMs = () => Math.min(intervalMs(), INTERVAL_MS_MAX);
  const untilDueMs = () => dueAt - now() - (BURST - 1) * everyMs();
  const count = () => {
    dueAt = Math.max(dueAt, now()) + everyMs();
  };

  const letOut = (): void => {
    timer = undefined;
    for (const leave of line) {
      if (untilDueMs() > 0) break;
      count();
      leave();
    }
    wind();
  };
  const wind = (): void => {
    if (timer === undefined && line.size > 0) timer = setTimeout(letOut, Math.max(BATCH_MS, untilDueMs()));
  };

  const standInLine = (signal: AbortSignal | undefined): Promise<void> =>
    new Promise((resolve, reject) => {
      const leave = () => {
        line.delete(leave);
        signal?.removeEventListener("abort", leave);
        if (signal?.aborted) reject(abortFault(signal));
        else resolve();
      };
      signal?.addEventListener("abort", leave, { once: true });
      line.add(leave);
      wind();
    });

  return {
    async turn(signal) {
      if (line.size === 0 && untilDueMs() <= 0) count();
      // Who is not held does not count: a flood of them would hold the others for ever.
      else if (line.size < HELD_MAX) return standInLine(signal);
    },
  };
}
