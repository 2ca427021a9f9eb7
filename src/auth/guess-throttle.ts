import { canonicalAddress } from "../domain/address.ts";
import { evictOldest } from "../domain/evict.ts";

/** How many wrong guesses a key may make: at once, and then again one each so many milliseconds. */
export interface GuessLimit {
  readonly guessesMax: number;
  readonly refillMs: number;
}

export interface GuessThrottle {
  /** Milliseconds until the key may guess again; 0 while it may. */
  delayMs(key: string): number;
  /** Counts one guess. */
  count(key: string): void;
  /** Takes one guess back that was counted before anybody knew whether it was wrong. */
  giveBack(key: string): void;
  size(): number;
}

interface Bucket {
  /** Guesses that are used up, as of `at`. */
  used: number;
  at: number;
}

/**
 * Counts wrong guesses by key in leaky buckets, in this process alone. Bounded: of too many keys the one that guessed
 * least recently is forgotten.
 * @param now a monotonic clock in milliseconds: `performance.now`.
 */
export function createGuessThrottle(
  { guessesMax, refillMs }: GuessLimit,
  keysMax: number,
  now: () => number,
): GuessThrottle {
  const buckets = new Map<string, Bucket>();

  const usedNow = (bucket: Bucket, at: number): number =>
    Math.max(0, bucket.used - (at - bucket.at) / refillMs);

  return {
    delayMs(key) {
      const bucket = buckets.get(key);
      if (bucket === undefined) return 0;
      const over = usedNow(bucket, now()) - (guessesMax - 1);
      return over <= 0 ? 0 : Math.ceil(over * refillMs);
    },
    count(key) {
      const at = now();
      const bucket = buckets.get(key);
      // A key that goes on guessing stays at its limit, so that it is free again soon after it stops.
      const used = Math.min(guessesMax, (bucket === undefined ? 0 : usedNow(bucket, at)) + 1);
      buckets.delete(key);
      buckets.set(key, { used, at });
      evictOldest(buckets, keysMax);
    },
    giveBack(key) {
      const bucket = buckets.get(key);
      if (bucket === undefined) return;
      const at = now();
      bucket.used = Math.max(0, usedNow(bucket, at) - 1);
      bucket.at = at;
      if (bucket.used === 0) buckets.delete(key);
    },
    size: () => buckets.size,
  };
}

/** Whoever has one address of an IPv6 network has 2^64 of them: the network is the source, in one spelling. */
export function sourceKeyOf(address: string): string {
  const canonical = canonicalAddress(address) ?? address;
  if (!canonical.includes(":")) return canonical;
  const [head = [], tail = []] = canonical.split("::").map((part) => part.split(":").filter(Boolean));
  const zeros = Array<string>(Math.max(0, 8 - head.length - tail.length)).fill("0");
  return `${[...head, ...zeros, ...tail].slice(0, 4).join(":")}::/64`;
}
