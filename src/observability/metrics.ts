import {
  Counter,
  collectDefaultMetrics,
  Gauge,
  Histogram,
  type MetricObjectWithValues,
  type MetricValue,
  Registry,
} from "prom-client";
import type { CallRecord } from "./call-record.ts";
import { createEventMetrics, type EventMetrics } from "./event-metrics.ts";
import { type WatchedParts, watchParts } from "./watched-metrics.ts";

/** Prometheus metrics. No identifier of a tenant, account or credential ever becomes a label. */
export interface Metrics extends EventMetrics {
  called(record: CallRecord): void;
  /** A request that was refused before it became a call. */
  unrouted(reason: string): void;
  /** A document that was asked for: the key set, the API reference. One of ours, so that there are few. */
  documentServed(document: string): void;
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
  /** A round of the sweeper that has ended, and the rows that it took away; undefined when it failed. */
  swept(rows: number | undefined): void;
  /** A fetch of the keys of an issuer has ended. */
  keySetFetched(isSuccess: boolean): void;
  /** Our own keys, which sign access tokens, could not be read. */
  signingKeysFailed(): void;
  /** Spans that were sent to the collector of traces, or could not be. */
  spansSent(spans: number, isSuccess: boolean): void;
  /** Reads the gauges of these at each scrape. */
  watch(parts: WatchedParts): void;
  /** The exposition format, and its content type. */
  expose(): Promise<{ readonly text: string; readonly contentType: string }>;
  /** The same as data, for a process that adds up those of several. */
  snapshot(): Promise<MetricsSnapshot>;
  /** What there is to be exposed, for docs/metrics.md. */
  describe(): readonly MetricDescription[];
}

export type MetricsSnapshot = readonly MetricObjectWithValues<MetricValue<string>>[];

export interface MetricDescription {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly labels: readonly string[];
}

const WAIT_BUCKETS = [0.0005, 0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2];
const DURATION_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const counter = (name: string, help: string, ...labelNames: readonly string[]) =>
    new Counter({ name, help, labelNames, registers: [registry] });
  const histogram = (
    name: string,
    help: string,
    buckets: readonly number[],
    ...labelNames: readonly string[]
  ) => new Histogram({ name, help, buckets: [...buckets], labelNames, registers: [registry] });

  const calls = counter(
    "keyturn_calls_total",
    "Calls that were answered. `code` is the gRPC code by name, whatever the door; `reason` that of docs/errors.md, empty for `OK`.",
    ...["door", "service", "method", "code", "reason"],
  );
  const duration = histogram(
    "keyturn_call_duration_seconds",
    "Time from the first byte of a call to its answer.",
    DURATION_BUCKETS,
    ...["door", "service", "method"],
  );
  const unrouted = counter(
    "keyturn_unrouted_requests_total",
    "Requests that were refused before they became a call: no such path or method, or no request at all.",
    "reason",
  );
  const documents = counter(
    "keyturn_documents_total",
    "Answers of the HTTP door that are no calls: the key set and metadata of our tokens, the API reference.",
    "document",
  );
  const refusalsLost = counter(
    "keyturn_audit_refusals_lost_total",
    "Refused calls that could not be written into the audit trail.",
  );
  const certificateReloads = counter(
    "keyturn_certificate_reloads_total",
    "New certificates that a door has found: loaded, or refused because they could not be used.",
    ...["door", "outcome"],
  );
  const certificateEnd = new Gauge({
    name: "keyturn_certificate_expiry_timestamp_seconds",
    help: "When the certificate of a door ends.",
    labelNames: ["door"],
    aggregator: "min",
    registers: [registry],
  });
  const databaseWait = histogram(
    "keyturn_database_wait_seconds",
    "Time that statements waited for a connection.",
    WAIT_BUCKETS,
  );
  const hashWait = histogram(
    "keyturn_hash_wait_seconds",
    "Time that hashes waited for a permit.",
    WAIT_BUCKETS,
  );
  const checkWait = histogram(
    "keyturn_check_hash_wait_seconds",
    "Time that checks of secrets waited for a permit to hash.",
    WAIT_BUCKETS,
  );
  const checks = counter(
    "keyturn_secret_checks_total",
    "Checks of secrets, by what became of them: `verified`, or `inner` of the log.",
    "outcome",
  );
  const sweeps = counter("keyturn_sweeps_total", "Rounds of the sweeper, by `done` and `failed`.", "outcome");
  const sweptRows = counter("keyturn_swept_rows_total", "Rows that the sweeper has taken away.");
  const keySetFetches = counter(
    "keyturn_key_set_fetches_total",
    "Fetches of the keys of issuers, by `done` and `failed`.",
    "outcome",
  );
  const signingKeyFailures = counter(
    "keyturn_signing_key_failures_total",
    "Times that the keys which sign access tokens could not be read from the database.",
  );
  const spans = counter(
    "keyturn_spans_total",
    "Spans for the collector of traces: sent, by `done`, and lost, by `failed`.",
    "outcome",
  );
  // A series that is absent until something happens for the first time hides that first time from `rate`.
  for (const outcome of ["done", "failed"]) {
    sweeps.inc({ outcome }, 0);
    keySetFetches.inc({ outcome }, 0);
  }
  checks.inc({ outcome: "verified" }, 0);
  const outcomeOf = (isSuccess: boolean) => (isSuccess ? "done" : "failed");

  return {
    ...createEventMetrics(registry),
    called({ door, service, method, code, reason, durationMs }) {
      calls.inc({ door, service, method, code, reason });
      duration.observe({ door, service, method }, durationMs / 1000);
    },
    unrouted: (reason) => unrouted.inc({ reason }),
    documentServed: (document) => documents.inc({ document }),
    refusalLost: () => refusalsLost.inc(),
    certificate(door, event) {
      if (event.kind !== "opened") certificateReloads.inc({ door, outcome: event.kind });
      if (event.kind !== "refused") certificateEnd.set({ door }, event.expiresAt.getTime() / 1000);
    },
    databaseWaited: (waitedMs) => databaseWait.observe(waitedMs / 1000),
    hashWaited: (waitedMs) => hashWait.observe(waitedMs / 1000),
    checkWaited: (waitedMs) => checkWait.observe(waitedMs / 1000),
    checked: (outcome) => checks.inc({ outcome }),
    swept(rows) {
      sweeps.inc({ outcome: outcomeOf(rows !== undefined) });
      sweptRows.inc(rows ?? 0);
    },
    keySetFetched: (isSuccess) => keySetFetches.inc({ outcome: outcomeOf(isSuccess) }),
    signingKeysFailed: () => signingKeyFailures.inc(),
    spansSent: (count, isSuccess) => spans.inc({ outcome: outcomeOf(isSuccess) }, count),
    watch: (parts) => watchParts(registry, parts),
    expose: async () => ({ text: await registry.metrics(), contentType: registry.contentType }),
    snapshot: () => registry.getMetricsAsJSON(),
    describe: () => registry.getMetricsAsArray().map(descriptionOf),
  };
}

/** What prom-client knows of a metric beside what its types say. */
function descriptionOf(metric: object): MetricDescription {
  const { name, help, type, labelNames } = metric as MetricDescription & { labelNames: readonly string[] };
  return { name, help, type, labels: labelNames };
}
