import { abortFault, type FaultError, unavailable } from "../domain/fault.ts";
import { createRefusalPace } from "./refusal-pace.ts";

const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 2_000;
/** Until the first hash has been timed. */
const HASH_MS_GUESS = 20;
const QUEUE_MAX = 32;
/** Callers who come again at once: more refusals than so many for each hash would take the processor from hashes. */
const REFUSALS_PER_HASH = 4;

export interface HashGateDeps {
  /** Hashes at one time: the number of cores. More would starve file, DNS and crypto work in libuv's four threads. */
  readonly permits: number;
  /** Foreground callers that may wait for a permit; one more is shed. Default 32. */
  readonly queueMax?: number;
  /** A monotonic clock in milliseconds: `performance.now`. */
  readonly now: () => number;
  /** Jitter for retry delays, 0 ≤ x < 1: `Math.random`. */
  readonly random: () => number;
  /** Told how long each caller stood in the queue, in milliseconds, when its hash starts. Must not throw. */
  readonly onWait?: (waitMs: number) => void;
}

export interface HashGateStats {
  readonly inFlight: number;
  readonly queued: number;
  /** Hashes finished since start, whatever for. */
  readonly hashed: number;
  /** Callers turned away because the queue was full. */
  readonly shed: number;
  /** Callers who had gone before their hash started. */
  readonly abandoned: number;
}

export interface HashGate {
  /**
   * Rejects with `unavailable` (hash_queue) or the signal's fault. Who has a signal is told so at a pace, and anybody else at
   * once: a check that several share, and that counts as a guess as long as it is under way.
   */
  enter<T>(work: () => Promise<T>, signal?: AbortSignal, group?: string): Promise<T>;
  /** Only if a permit is free this moment: then nobody waits either. */
  tryEnter<T>(work: () => Promise<T>): Promise<T> | undefined;
  stats(): HashGateStats;
}

interface Waiter {
  start(): void;
  shed(): void;
}

/**
 * Lets in as many as there are permits: the groups of callers in turn, and those of a group in the order of their coming.
 * Work starts in the same step as its permit comes free. Where the queue is full, the group that has most in it gives up its
 * last place to whoever has fewer: one organization may fill the queue, and keeps nobody else out of it.
 */
export function createHashGate({
  permits,
  queueMax = QUEUE_MAX,
  now,
  random,
  onWait,
}: HashGateDeps): HashGate {
  /** The group whose turn it is comes first. */
  const queues = new Map<string, Waiter[]>();
  let [inFlight, queued, hashed, shed, abandoned, recentMs] = [0, 0, 0, 0, 0, HASH_MS_GUESS];

  const pace = createRefusalPace({ now, intervalMs: () => recentMs / permits / REFUSALS_PER_HASH });

  const next = (): Waiter | undefined => {
    for (const [group, waiters] of queues) {
      const waiter = waiters[0] as Waiter;
      take(group, waiter);
      // Behind the others.
      if (queues.delete(group) && waiters.length > 0) queues.set(group, waiters);
      return waiter;
    }
    return undefined;
  };

  const take = (group: string, waiter: Waiter): void => {
    const waiters = queues.get(group) ?? [];
    waiters.splice(waiters.indexOf(waiter), 1);
    queued -= 1;
    if (waiters.length === 0) queues.delete(group);
  };

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
      while (inFlight < permits && queued > 0) next()?.start();
    }
  };

  const gone = (signal: AbortSignal): FaultError => {
    abandoned += 1;
    return abortFault(signal);
  };

  const wait = <T>(work: () => Promise<T>, signal: AbortSignal | undefined, group: string): Promise<T> =>
    new Promise((resolve, reject) => {
      const since = now();
      const waiter: Waiter = {
        start() {
          signal?.removeEventListener("abort", leave);
          // Asked once more: a listener before ours may have kept the event from us.
          if (signal?.aborted) return reject(gone(signal));
          onWait?.(now() - since);
          resolve(run(work));
        },
        shed() {
          signal?.removeEventListener("abort", leave);
          refuse(signal).catch(reject);
        },
      };
      const leave = (): void => {
        take(group, waiter);
        reject(gone(signal as AbortSignal));
      };
      signal?.addEventListener("abort", leave, { once: true });
      const waiters = queues.get(group) ?? [];
      waiters.push(waiter);
      queues.set(group, waiters);
      queued += 1;
    });

  /**
   * Rejects when it is time for that. The whole queue has to pass first. The jitter goes upwards, so that nobody is told to come
   * back too early.
   */
  const refuse = async (signal: AbortSignal | undefined): Promise<never> => {
    shed += 1;
    if (signal !== undefined) await pace.turn(signal);
    const estimateMs = Math.max(RETRY_MS_MIN, (queued * recentMs) / permits);
    throw unavailable(
      "hash_queue",
      Math.round(Math.min(estimateMs, RETRY_MS_MAX / 1.5) * (1 + random() / 2)),
    );
  };

  /** Sheds the last of the group that has most in the queue, where that has more than this one will have. */
  const makesRoom = (group: string): boolean => {
    const [longest, waiters] = [...queues].reduce((a, b) => (b[1].length > a[1].length ? b : a));
    if (waiters.length <= (queues.get(group)?.length ?? 0) + 1) return false;
    const last = waiters.at(-1) as Waiter;
    take(longest, last);
    last.shed();
    return true;
  };

  return {
    async enter(work, signal, group = "") {
      if (signal?.aborted) throw gone(signal);
      if (inFlight < permits) {
        onWait?.(0);
        return run(work);
      }
      if (queued >= queueMax && (queued === 0 || !makesRoom(group))) return refuse(signal);
      return wait(work, signal, group);
    },
    // A free permit means an empty queue, since `run` hands its own on before anybody else can ask.
    tryEnter: (work) => (inFlight < permits ? run(work) : undefined),
    stats: () => ({ inFlight, queued, hashed, shed, abandoned }),
  };
}
