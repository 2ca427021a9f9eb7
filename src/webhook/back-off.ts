/** Jitter, 0 ≤ x < 1: `Math.random`. */
type Random = () => number;

const EVENT_DELAY_MS_MAX = 300_000;
const RECEIVER_PAUSE_MS_MAX = 60_000;

/** How long an event waits after its n-th attempt: a second, two, four, to five minutes, and half of that at least. */
export const eventDelayMs = (attempts: number, random: Random): number =>
  jittered(Math.min(1_000 * 2 ** Math.min(attempts - 1, 20), EVENT_DELAY_MS_MAX), random);

/** How a receiver is treated that fails. */
export interface ReceiverPause {
  /** Milliseconds for which it is to be left alone now. */
  remainingMs(): number;
  /** Whether it is only being tried whether it lives again: then one event at a time is enough. */
  isProbing(): boolean;
  /** It has dealt with an event by itself: it has accepted it, or refused it. */
  answered(): void;
  /** @param sentAt when the attempt began: those that were sent at the same time are one failure. */
  failed(sentAt: number, retryAfterMs: number | undefined): void;
}

/**
 * Whatever waits for it, a receiver that is down is asked twice a second at first and once a minute in the end. The
 * first event that it deals with ends that.
 * @param now a clock in milliseconds.
 */
export function createReceiverPause(now: () => number, random: Random): ReceiverPause {
  let failures = 0;
  let failedAt = Number.NEGATIVE_INFINITY;
  let until = Number.NEGATIVE_INFINITY;
  return {
    remainingMs: () => Math.max(0, until - now()),
    isProbing: () => failures > 0,
    answered() {
      failures = 0;
      until = Number.NEGATIVE_INFINITY;
    },
    failed(sentAt, retryAfterMs = 0) {
      if (sentAt > failedAt) failures += 1;
      failedAt = now();
      const pauseMs = jittered(
        Math.min(500 * 2 ** Math.min(failures - 1, 20), RECEIVER_PAUSE_MS_MAX),
        random,
      );
      until = Math.max(until, failedAt + Math.max(pauseMs, retryAfterMs));
    },
  };
}

const jittered = (ms: number, random: Random): number => ms * (0.5 + random() / 2);
