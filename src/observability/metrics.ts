import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Hasher } from "../auth/hasher.ts";
import type { Mint } from "../auth/mint.ts";
import type { Database } from "../storage/database.ts";
import type { ExpiryWatch } from "../storage/expiry-counts.ts";
import type { CallRecord } from "./call-record.ts";

/** Prometheus metrics. No identifier of a tenant, account or credential ever becomes a label. */
export interface Metrics {
  called(record: CallRecord): void;
  /** A request that was refused before it became a call. */
  unrouted(reason: string): void;
  /** A refused call that could not be written into the audit trail. */
  refusalLost(): void;
  /** A door has got a certificate, or could not use the one that it found. */
  certificate(
    door: string,
    event: { readonly kind: "opened" | "loaded"; readonly expiresAt: Date } | { readonly kind: "refused" },
  ): void;
  databaseWaited(waitedMs: number): void;
  hashWaited(waitedMs: number): void;
  /** The same for the hashes of checks, which have a queue of their own. */
  checkWaited(waitedMs: number): void;
  /** What became of a check of a secret, in one word. */
  checked(outcome: string): void;
  /** Reads the gauges of these at each scrape. */
  watch(parts: {
    readonly db: Database;
    readonly hasher: Hasher;
    readonly mint: Mint;
    readonly expiries: Pick<ExpiryWatch, "counts">;
    readonly isReady: () => boolean;
  }): void;
  /** The exposition format, and its content type. */
  expose(): Promise<{ readonly text: string; readonly contentType: string }>;
}

const WAIT_BUCKETS = [0.0005, 0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2];
const DURATION_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const labelNames = ["door", "service", "method", "code", "reason"] as const;
  const calls = new Counter({
    name: "keyturn_calls_total",
    help: "Calls that were answered.",
    labelNames,
    registers,
  });
  const duration = new Histogram({
    name: "keyturn_call_duration_seconds",
    help: "Time from the first byte of a call to its answer.",
    labelNames: ["door", "service", "method"],
    buckets: DURATION_BUCKETS,
    registers,
  });
  const unrouted = new Counter({
    name: "keyturn_unrouted_requests_total",
    help: "HTTP requests that were refused before they became a call.",
    labelNames: ["reason"],
    registers,
  });
  const refusalsLost = new Counter({
    name: "keyturn_audit_refusals_lost_total",
    help: "Refused calls that could not be written into the audit trail.",
    registers,
  });
  const certificateReloads = new Counter({
    name: "keyturn_certificate_reloads_total",
    help: "New certificates that a door has found: loaded, or refused because they could not be used.",
    labelNames: ["door", "outcome"],
    registers,
  });
  const certificateEnd = new Gauge({
    name: "keyturn_certificate_expiry_timestamp_seconds",
    help: "When the certificate of a door ends.",
    labelNames: ["door"],
    registers,
  });
  const databaseWait = new Histogram({
    name: "keyturn_database_wait_seconds",
    help: "Time that statements waited for a connection.",
    buckets: WAIT_BUCKETS,
    registers,
  });
  const hashWait = new Histogram({
    name: "keyturn_hash_wait_seconds",
    help: "Time that hashes waited for a permit.",
    buckets: WAIT_BUCKETS,
    registers,
  });
  const checkWait = new Histogram({
    name: "keyturn_check_hash_wait_seconds",
    help: "Time that checks of secrets waited for a permit to hash.",
    buckets: WAIT_BUCKETS,
    registers,
  });
  const checks = new Counter({
    name: "keyturn_secret_checks_total",
    help: "Checks of secrets, by what became of them.",
    labelNames: ["outcome"],
    registers,
  });
  return {
    called({ door, service, method, code, reason, durationMs }) {
      calls.inc({ door, service, method, code, reason });
      duration.observe({ door, service, method }, durationMs / 1000);
    },
    unrouted: (reason) => unrouted.inc({ reason }),
    refusalLost: () => refusalsLost.inc(),
    certificate(door, event) {
      if (event.kind !== "opened") certificateReloads.inc({ door, outcome: event.kind });
      if (event.kind !== "refused") certificateEnd.set({ door }, event.expiresAt.getTime() / 1000);
    },
    databaseWaited: (waitedMs) => databaseWait.observe(waitedMs / 1000),
    hashWaited: (waitedMs) => hashWait.observe(waitedMs / 1000),
    checkWaited: (waitedMs) => checkWait.observe(waitedMs / 1000),
    checked: (outcome) => checks.inc({ outcome }),
    watch({ db, hasher, mint, expiries, isReady }) {
      const gauge = (name: string, help: string, read: () => number) =>
        new Gauge({
          name,
          help,
          registers,
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
      gauge("keyturn_ready", "1 while the server says that it should be sent calls.", () =>
        Number(isReady()),
      );
      gauge("keyturn_mint_pool_level", "Secrets that are ready, hashed before anybody asked.", () =>
        mint.level(),
      );
      gauge("keyturn_hash_in_flight", "Hashes that are being computed.", () => hasher.stats().inFlight);
      gauge("keyturn_hash_queue_length", "Callers that wait for a hash.", () => hasher.stats().queued);
      gauge("keyturn_database_connections_in_use", "Statements in flight.", () => db.stats().inUse);
      gauge("keyturn_database_queue_length", "Callers that wait for a connection.", () => db.stats().queued);
      new Gauge({
        name: "keyturn_credentials_expiring",
        help: "Credentials that hold and expire within so many days.",
        labelNames: ["within_days"],
        registers,
        collect() {
          for (const [days, count] of expiries.counts()) this.set({ within_days: days }, count);
        },
      });
      counter(
        "keyturn_hash_shed_total",
        "Callers refused because the hash queue was full.",
        () => hasher.stats().shed,
      );
      counter(
        "keyturn_database_shed_total",
        "Callers refused because no connection came free.",
        () => db.stats().shed,
      );
    },
    expose: async () => ({ text: await registry.metrics(), contentType: registry.contentType }),
  };
}
