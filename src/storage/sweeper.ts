import type { Database } from "./database.ts";

export interface SweeperOptions {
  /** Seconds for which a deleted credential is remembered. */
  readonly tombstoneRetentionSeconds: number;
  /** Told after each round how much was swept, or why nothing could be. */
  readonly onSwept: (rows: number) => void;
  readonly onError: (err: unknown) => void;
  /** Jitter, 0 ≤ x < 1, so that replicas do not sweep in step: `Math.random`. */
  readonly random: () => number;
  /** Runs something once, after a delay in ms, unless the returned function is called before. Default: a timer. */
  readonly after?: (delayMs: number, run: () => void) => () => void;
}

export interface Sweeper {
  stop(): void;
}

const INTERVAL_MS = 60_000;
/** After a round that was full: there is more, and others want the database as well. */
const PAUSE_MS = 100;
const SWEEP_TIMEOUT_MS = 5_000;
const ROWS_MAX = 1_000;

/**
 * Takes away what has had its time, about once a minute on every replica, and again at once while there may be more; each
 * leaves to the others what they hold. No decision waits for it: what is over is over by the clock.
 */
export function startSweeper(db: Pick<Database, "run">, options: SweeperOptions): Sweeper {
  const { after = afterDelay } = options;
  let isStopped = false;
  let cancel = () => {};
  const sweepAfter = (delayMs: number) => {
    if (!isStopped) cancel = after(delayMs, () => void sweep());
  };
  const intervalMs = () => INTERVAL_MS * (0.5 + options.random());
  const sweep = async () => {
    try {
      const rows = await sweepOnce(db, options.tombstoneRetentionSeconds);
      options.onSwept(rows);
      sweepAfter(rows < ROWS_MAX ? intervalMs() : PAUSE_MS);
    } catch (err) {
      options.onError(err);
      sweepAfter(intervalMs());
    }
  };
  sweepAfter(intervalMs());
  return {
    stop() {
      isStopped = true;
      cancel();
    },
  };
}

function afterDelay(delayMs: number, run: () => void): () => void {
  const timer = setTimeout(run, delayMs).unref();
  return () => clearTimeout(timer);
}

/** At most a thousand rows of each kind. Resolves to how many there were. */
export async function sweepOnce(
  db: Pick<Database, "run">,
  tombstoneRetentionSeconds: number,
): Promise<number> {
  const [row] = await db.run<{ swept: number }>(
    AbortSignal.timeout(SWEEP_TIMEOUT_MS),
    (sql) => sql`select keyturn.sweep(${`${tombstoneRetentionSeconds} seconds`}, ${ROWS_MAX}) as swept`,
  );
  return row?.swept ?? 0;
}
