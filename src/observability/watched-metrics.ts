import { type Aggregator, Counter, Gauge, type Registry } from "prom-client";
import type { Hasher } from "../auth/hasher.ts";
import type { Mint } from "../auth/mint.ts";
import type { CountWatch } from "../storage/count-watch.ts";
import type { CredentialState } from "../storage/credential-counts.ts";
import type { Database } from "../storage/database.ts";

/** Whose levels are read at each scrape. Nothing of it asks the database. */
export interface WatchedParts {
  readonly db: Pick<Database, "stats">;
  readonly hasher: Pick<Hasher, "stats">;
  /** That of the checks of secrets. */
  readonly checker: Pick<Hasher, "stats">;
  readonly mint: Pick<Mint, "level">;
  readonly expiries: Pick<CountWatch<number>, "counts">;
  readonly credentials: Pick<CountWatch<CredentialState>, "counts">;
  /** Credentials whose uses wait to be written. */
  readonly usesPending: () => number;
  readonly isReady: () => boolean;
  /** Of the package. */
  readonly version: string;
}

export function watchParts(registry: Registry, parts: WatchedParts): void {
  const { db, hasher, checker, mint } = parts;
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number, aggregator: Aggregator = "sum") =>
    new Gauge({
      name,
      help,
      registers,
      aggregator,
      collect() {
        this.set(read());
      },
    });
  const counter = (name: string, help: string, read: () => number) =>
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  const counts = (
    name: string,
    help: string,
    label: string,
    watch: Pick<CountWatch<string | number>, "counts">,
  ) =>
    new Gauge({
      name,
      help,
      labelNames: [label],
      registers,
      // Every process counts the same database.
      aggregator: "max",
      collect() {
        for (const [value, count] of watch.counts()) this.set({ [label]: value }, count);
      },
    });

  new Gauge({
    name: "keyturn_build_info",
    help: "1, for the version that runs.",
    labelNames: ["version"],
    registers,
    aggregator: "first",
  }).set({ version: parts.version }, 1);
  gauge(
    "keyturn_ready",
    "1 while the server says that it should be sent calls.",
    () => Number(parts.isReady()),
    "min",
  );
  gauge("keyturn_mint_pool_level", "Secrets that are ready, hashed before anybody asked.", () =>
    mint.level(),
  );

  gauge("keyturn_hash_in_flight", "Hashes that are being computed.", () => hasher.stats().inFlight);
  gauge("keyturn_hash_queue_length", "Callers that wait for a hash.", () => hasher.stats().queued);
  counter(
    "keyturn_hashes_total",
    "Hashes that were computed, also ahead of need.",
    () => hasher.stats().hashed,
  );
  counter(
    "keyturn_hash_shed_total",
    "Callers refused because the hash queue was full.",
    () => hasher.stats().shed,
  );
  gauge(
    "keyturn_check_hash_in_flight",
    "Hashes of checks that are being computed.",
    () => checker.stats().inFlight,
  );
  gauge("keyturn_check_hash_queue_length", "Checks that wait for a hash.", () => checker.stats().queued);
  counter(
    "keyturn_check_hashes_total",
    "Hashes that were computed for checks: of secrets that this server did not know yet.",
    () => checker.stats().hashed,
  );
  counter(
    "keyturn_check_hash_shed_total",
    "Checks refused because their hash queue was full.",
    () => checker.stats().shed,
  );

  gauge("keyturn_database_connections", "Connections that there may be.", () => db.stats().connections);
  gauge("keyturn_database_connections_in_use", "Statements in flight.", () => db.stats().inUse);
  gauge("keyturn_database_queue_length", "Callers that wait for a connection.", () => db.stats().queued);
  counter(
    "keyturn_database_shed_total",
    "Callers refused because no connection came free.",
    () => db.stats().shed,
  );
  gauge(
    "keyturn_uses_pending",
    "Credentials whose last uses wait to be written; it grows while the database is away.",
    () => parts.usesPending(),
  );

  counts(
    "keyturn_credentials",
    "Credentials of all organizations by state, counted every ten minutes or so. The kill switch takes none out of `active`; `deleted` ones are remembered for a while.",
    "state",
    parts.credentials,
  );
  counts(
    "keyturn_credentials_expiring",
    "Credentials that hold and expire within so many days, counted about once a minute.",
    "within_days",
    parts.expiries,
  );
}
