import type { Config } from "./config.ts";
import type { Log } from "./observability/log.ts";
import type { Metrics } from "./observability/metrics.ts";
import { type CountWatch, watchCounts } from "./storage/count-watch.ts";
import { type CredentialState, countStates } from "./storage/credential-counts.ts";
import type { Database } from "./storage/database.ts";
import { countExpiries } from "./storage/expiry-counts.ts";
import { startSweeper } from "./storage/sweeper.ts";

export interface UpkeepParts {
  readonly config: Config;
  readonly db: Database;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface Upkeep {
  readonly expiries: CountWatch<number>;
  readonly credentials: CountWatch<CredentialState>;
  stop(): void;
}

const EXPIRIES_INTERVAL_MS = 60_000;
/** It looks at an entry of an index for every credential: a tenth of a second for each million. */
const CREDENTIALS_INTERVAL_MS = 600_000;

/** What a server does in the database by itself, every so often, beside all calls. */
export function startUpkeep({ config, db, log, metrics }: UpkeepParts): Upkeep {
  const { random } = Math;
  const onError = (part: string) => (err: unknown) => log.failed({ part }, err);
  const expiries = watchCounts((signal) => countExpiries(db, signal), {
    intervalMs: EXPIRIES_INTERVAL_MS,
    random,
    onError: onError("count of expiries"),
  });
  const credentials = watchCounts((signal) => countStates(db, signal), {
    intervalMs: CREDENTIALS_INTERVAL_MS,
    random,
    onError: onError("count of credentials"),
  });
  const sweeper = startSweeper(db, {
    tombstoneRetentionSeconds: config.tombstoneRetentionSeconds,
    onSwept(rows) {
      metrics.swept(rows);
      if (rows > 0) log.event("debug", "swept", { rows });
    },
    onError(err) {
      metrics.swept(undefined);
      log.failed({ part: "sweeper" }, err);
    },
    random,
  });
  return {
    expiries,
    credentials,
    stop() {
      sweeper.stop();
      expiries.stop();
      credentials.stop();
    },
  };
}
