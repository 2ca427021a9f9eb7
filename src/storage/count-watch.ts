/** How many there are, by what tells them apart. */
export type Counts<Key> = ReadonlyMap<Key, number>;

export interface CountWatch<Key> {
  /** As last counted; empty before that. */
  counts(): Counts<Key>;
  stop(): void;
}

export interface CountWatchOptions {
  readonly intervalMs: number;
  /** Jitter, 0 ≤ x < 1, so that replicas do not count in step: `Math.random`. */
  readonly random: () => number;
  readonly onError: (err: unknown) => void;
}

const FIRST_AFTER_MS = 1_000;
const COUNT_TIMEOUT_MS = 10_000;

/** Counts every so often, beside everything else: who looks at the gauges never waits for the database. */
export function watchCounts<Key>(
  count: (signal: AbortSignal) => Promise<Counts<Key>>,
  { intervalMs, random, onError }: CountWatchOptions,
): CountWatch<Key> {
  let counts: Counts<Key> = new Map();
  let timer: NodeJS.Timeout;
  const countLater = (delayMs: number) => {
    timer = setTimeout(() => void countNow(), delayMs).unref();
  };
  const countNow = async () => {
    try {
      counts = await count(AbortSignal.timeout(COUNT_TIMEOUT_MS));
    } catch (err) {
      onError(err);
    }
    countLater(intervalMs * (0.5 + random()));
  };
  countLater(FIRST_AFTER_MS);
  return { counts: () => counts, stop: () => clearTimeout(timer) };
}
