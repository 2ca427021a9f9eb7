import type { MetricsSnapshot } from "../observability/metrics.ts";

/** What a worker tells the process that has started it. */
export type FromWorker =
  /** It waits to be told what to begin with. */
  | { readonly kind: "here" }
  | { readonly kind: "listening"; readonly grpc: string; readonly http: string }
  | ({ readonly kind: "report"; readonly question: number } & WorkerReport);

/** What it is told. */
export type ToWorker =
  | {
      readonly kind: "begin";
      /** From 0: which share is its own. */
      readonly slot: number;
      /** The embedded database's, where that is used. */
      readonly databaseUrl: string | undefined;
    }
  | { readonly kind: "report"; readonly question: number }
  | { readonly kind: "drain" };

export interface WorkerReport {
  /** What keeps it from taking calls; empty when it is ready. */
  readonly unready: readonly string[];
  readonly metrics: MetricsSnapshot;
}
