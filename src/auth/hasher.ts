import { timingSafeEqual } from "node:crypto";
import { hash as argon2Hash, argon2id } from "argon2";
import { abortFault, type FaultError, unavailable } from "../domain/fault.ts";
import type { RandomBytes } from "../domain/secret.ts";
import type { CurrentSpan } from "../domain/span.ts";
import {
  costInBounds,
  decodePhc,
  encodePhc,
  HASH_COST_DEFAULT,
  type HashCost,
  phcPrefix,
  workOf,
} from "./phc.ts";
import { traceEntries } from "./traced-entries.ts";

const SALT_BYTES = 16;
const HASH_BYTES = 32;

const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 2_000;
/** Until the first hash has been timed. */
const HASH_MS_GUESS = 20;

/** Computes one argon2id hash of `HASH_BYTES` bytes. Anything slow may stand in for it in a test. */
export type RawHash = (secret: string, salt: Uint8Array, cost: HashCost) => Promise<Buffer>;

export interface HasherDeps {
  /** Hashes at one time: the number of cores. More would starve file, DNS and crypto work in libuv's four threads. */
  readonly permits: number;
  /** Foreground callers that may wait for a permit; the next one is shed. Default 32. */
  readonly queueMax?: number;
  readonly cost?: HashCost;
  readonly randomBytes: RandomBytes;
  /** A monotonic clock in milliseconds: `performance.now`. */
  readonly now: () => number;
  /** Jitter for retry delays, 0 ≤ x < 1: `Math.random`. */
  readonly random: () => number;
  /** Told how long each caller stood in the queue, in milliseconds, when its hash starts. Must not throw. */
  readonly onWait?: (waitMs: number) => void;
  readonly rawHash?: RawHash;
  /** Absent where no traces are kept. */
  readonly currentSpan?: CurrentSpan | undefined;
}

export interface HasherStats {
  readonly inFlight: number;
  readonly queued: number;
  /** Hashes finished since start, whatever for. */
  readonly hashed: number;
  /** Callers turned away because the queue was full. */
  readonly shed: number;
  /** Callers who had gone before their hash started. */
  readonly abandoned: number;
}

export interface Hasher {
  /** The canonical PHC string of a secret. Rejects with `unavailable` (hash_queue) or the signal's fault. */
  hash(secret: string, signal?: AbortSignal): Promise<string>;
  /** The same, but only if a permit is free this moment and nobody waits; otherwise undefined and nothing happens. */
  tryHashIdle(secret: string): Promise<string> | undefined;
  /** Whether the secret is the one behind a PHC string, by that string's own cost. Rejects like `hash`, or with `internal`
   *  when the string is not one that `hash` could have written. */
  verify(phc: string, secret: string, signal?: AbortSignal): Promise<boolean>;
  /** Whether a PHC string of `hash`'s kind took less work than new hashes do: memory times passes. */
  isCheaper(phc: string): boolean;
  stats(): HasherStats;
}

/** argon2id behind a semaphore with a bounded first-come-first-served queue. @throws RangeError for a cost out of bounds. */
export function createHasher(deps: HasherDeps): Hasher {
  const { cost = HASH_COST_DEFAULT, rawHash = argon2Raw, randomBytes } = deps;
  if (!costInBounds(cost)) throw new RangeError("argon2id cost out of bounds");
  const gate = createGate(deps);
  const enter =
    deps.currentSpan === undefined ? gate.enter : traceEntries(gate.enter, deps.currentSpan, deps.now);
  const prefix = phcPrefix(cost);

  const freshHash = (secret: string) => async (): Promise<string> => {
    const salt = randomBytes(SALT_BYTES);
    return encodePhc(cost, salt, await rawHash(secret, salt, cost));
  };

  return {
    hash: (secret, signal) => enter(freshHash(secret), signal),
    tryHashIdle: (secret) => gate.tryEnter(freshHash(secret)),
    verify: async (phc, secret, signal) => {
      const stored = decodePhc(phc);
      const again = await enter(() => rawHash(secret, stored.salt, stored.cost), signal);
      return timingSafeEqual(again, stored.hash);
    },
    isCheaper: (phc) => !phc.startsWith(prefix) && workOf(decodePhc(phc).cost) < workOf(cost),
    stats: gate.stats,
  };
}

/** Lets in as many as there are permits, in the order of their coming. Work starts in the same step as its permit comes free. */
function createGate({ permits, queueMax = 32, now, random, onWait }: HasherDeps) {
  const queue: { start(): void }[] = [];
  let [inFlight, hashed, shed, abandoned, recentMs] = [0, 0, 0, 0, HASH_MS_GUESS];

  const run = async <T>(work: () => Promise<T>): Promise<T> => {
    inFlight += 1;
    const startedAt = now();
    try {
      const result = await work();
      hashed += 1;
      recentMs += (now() - startedAt - recentMs) / 8;
      return result;
    } finally {
      inFlight -= 1;
      while (inFlight < permits && queue.length > 0) queue.shift()?.start();
    }
  };

  const gone = (signal: AbortSignal): FaultError => {
    abandoned += 1;
    return abortFault(signal);
  };

  const wait = <T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> =>
    new Promise((resolve, reject) => {
      const since = now();
      const waiter = {
        start() {
          signal?.removeEventListener("abort", leave);
          // Asked once more: a listener before ours may have kept the event from us.
          if (signal?.aborted) return reject(gone(signal));
          onWait?.(now() - since);
          resolve(run(work));
        },
      };
      const leave = (): void => {
        queue.splice(queue.indexOf(waiter), 1);
        reject(gone(signal as AbortSignal));
      };
      signal?.addEventListener("abort", leave, { once: true });
      queue.push(waiter);
    });

  /** The whole queue has to pass first. The jitter goes upwards, so that nobody is told to come back too early. */
  const retryDelayMs = (): number => {
    const estimateMs = Math.max(RETRY_MS_MIN, (queue.length * recentMs) / permits);
    return Math.round(Math.min(estimateMs, RETRY_MS_MAX / 1.5) * (1 + random() / 2));
  };

  const enter = async <T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> => {
    if (signal?.aborted) throw gone(signal);
    if (inFlight >= permits) {
      if (queue.length < queueMax) return wait(work, signal);
      shed += 1;
      throw unavailable("hash_queue", retryDelayMs());
    }
    onWait?.(0);
    return run(work);
  };

  // A free permit means an empty queue, since `run` hands its own on before anybody else can ask.
  const tryEnter = <T>(work: () => Promise<T>): Promise<T> | undefined =>
    inFlight < permits ? run(work) : undefined;

  const stats = (): HasherStats => ({ inFlight, queued: queue.length, hashed, shed, abandoned });
  return { enter, tryEnter, stats };
}

const argon2Raw: RawHash = (secret, salt, cost) =>
  argon2Hash(secret, {
    raw: true,
    type: argon2id,
    version: 0x13,
    salt: Buffer.from(salt),
    hashLength: HASH_BYTES,
    memoryCost: cost.memoryKib,
    timeCost: cost.passes,
    parallelism: cost.lanes,
  });
