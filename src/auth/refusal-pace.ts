import { waitFor } from "../domain/wait-for.ts";

/** One refusal in so many milliseconds is let out for good. */
const EVERY_MS = 5;
/** So many may go at once after a quiet time. */
const BURST = 100;
const HOLD_MS_MAX = 1_000;
const HELD_MAX = 1_000;

/** Lets refusals out at a pace. */
export interface RefusalPace {
  /** Resolves when a caller may be told that he is refused. Rejects with the signal's fault when he goes before that. */
  turn(signal?: AbortSignal): Promise<void>;
}

/**
 * A refusal costs little, and callers who come again at once take as many as there is processor for: the hashes of those
 * who were let in get what is left, which is half. So a hundred are refused at once, more of them 200 a second, and those
 * beyond wait for their answer, for one second at most. That is the generic cell rate algorithm (ITU-T I.371).
 * Who is told to come again, and does, has waited no longer than he was asked to.
 * @param now a monotonic clock in milliseconds.
 */
export function createRefusalPace(now: () => number): RefusalPace {
  /** When the next refusal would be due if all had gone at the pace. */
  let dueAt = Number.NEGATIVE_INFINITY;
  let held = 0;
  return {
    async turn(signal) {
      const at = now();
      dueAt = Math.min(Math.max(dueAt, at) + EVERY_MS, at + BURST * EVERY_MS + HOLD_MS_MAX);
      const holdMs = dueAt - at - BURST * EVERY_MS;
      if (holdMs <= 0 || held >= HELD_MAX) return;
      held += 1;
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, holdMs);
      try {
        await waitFor(promise, signal);
      } finally {
        clearTimeout(timer);
        held -= 1;
      }
    },
  };
}
