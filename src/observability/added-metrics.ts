import { AggregatorRegistry } from "prom-client";
import type { MetricsSnapshot } from "./metrics.ts";

/** The metrics of several processes as those of one server. */
export interface AddedMetrics {
  /** What a process has counted will not go on: its counts stay in the sum, its levels do not. */
  ended(last: MetricsSnapshot): void;
  /** The sum in the exposition format. */
  expose(
    living: readonly MetricsSnapshot[],
  ): Promise<{ readonly text: string; readonly contentType: string }>;
}

const COUNTING: ReadonlySet<string> = new Set(["counter", "histogram"]);

/**
 * Counts of a process that has ended are kept, up to what was last seen of them: a sum that falls looks to Prometheus like a
 * restart of all of it, and `rate` would count what is left once more.
 */
export function addMetrics(): AddedMetrics {
  let past: MetricsSnapshot[] = [];
  return {
    ended: (last) => void past.push(last.filter(({ type }) => COUNTING.has(String(type)))),
    async expose(living) {
      const registry = sumOf([...past, ...living]);
      const text = await registry.metrics();
      if (past.length > 1) {
        const many = past;
        const one = await sumOf(many).getMetricsAsJSON();
        // Who has ended meanwhile stands behind those.
        past = [one, ...past.slice(many.length)];
      }
      return { text, contentType: registry.contentType };
    },
  };
}

const sumOf = (snapshots: readonly MetricsSnapshot[]) => AggregatorRegistry.aggregate([...snapshots]);
