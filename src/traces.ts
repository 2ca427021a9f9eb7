import manifest from "../package.json" with { type: "json" };
import type { Config } from "./config.ts";
import type { Log } from "./observability/log.ts";
import type { Metrics } from "./observability/metrics.ts";
import { openTracing, type Tracing } from "./observability/tracing.ts";

/** A collector that is away is said so at most once in this time. */
const LOST_INTERVAL_MS = 60_000;

/** Traces where they are configured. Otherwise nothing of OpenTelemetry is loaded, and a call pays nothing for them. */
export function startTracing({ tracing }: Config, log: Log, metrics: Metrics): Tracing | undefined {
  if (tracing === undefined) return undefined;
  let toldAt = Number.NEGATIVE_INFINITY;
  return openTracing(tracing, {
    version: manifest.version,
    onSent(spans, isSuccess) {
      metrics.spansSent(spans, isSuccess);
      if (isSuccess || performance.now() - toldAt < LOST_INTERVAL_MS) return;
      toldAt = performance.now();
      log.event("warn", "spans were lost: the collector of traces did not take them", { spans });
    },
  });
}
