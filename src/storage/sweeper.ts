import type { Database } from "./database.ts";

export interface SweeperOptions {
  /** Seconds for which a deleted credential is remembered. */
  readonly tombstoneRetentionSeconds: number;
  /** Told what was swept, when it was anything, or why it could not be. */
  readonly onSwept: (rows: number) => void;
  readonly onError: (err: unknown) => void;
  /** Jitter, 0 ≤ x < 1, so that replicas do not sweep in step: `Math.random`. */
  readonly random: () => number;
}

export interface Sweeper {
  stop(): void;
}

const INTERVAL_MS = 60_000;
const SWEEP_TIMEOUT_MS = 5_000;
const ROWS_MAX = 1_000;

/**
 * Takes away what has had its time, about once a minute on every replica; each leaves to the others what they hold. No
 * decision waits for it: what is over is over by the clock.
 */
export function startSweeper(db: Database, options: SweeperOptions): Sweeper {
  let timer: NodeJS.Timeout;
  const sweepLater = () => {
    timer = setTimeout(() => void sweep(), INTERVAL_MS * (0.5 + options.random())).unref();
  };
  const sweep = async () => {
    try {
      const rows = await sweepOnce(db, options.tombstoneRetentionSeconds);
      if (rows > 0) options.onSwept(rows);
    } catch (err) {
      options.onError(err);
    }
    sweepLater();
  };
  sweepLater();
  return { stop: () => clearTimeout(timer) };
}

/** At most a thousand rows of each kind. Resolves to how many there were. */
export async function sweepOnce(db: Database, tombstoneRetentionSeconds: number): Promise<number> {
  const [row] = await db.run<{ swept: number }>(
    AbortSignal.timeout(SWEEP_TIMEOUT_MS),
    (sql) => sql`select keyturn.sweep(${`${tombstoneRetentionSeconds} seconds`}, ${ROWS_MAX}) as swept`,
  );
  return row?.swept ?? 0;
}
