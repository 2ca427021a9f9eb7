import { percentileOf } from "./spread.ts";
import type { LoadResult } from "./turns.ts";

/** @param latencies in milliseconds, one an answer, failures among them. */
export function summarize(latencies: readonly number[], failures: number, tookMs: number): LoadResult {
  return {
    answers: latencies.length,
    failures,
    perSecond: (latencies.length / tookMs) * 1000,
    p50Ms: percentileOf(latencies, 0.5),
    p99Ms: percentileOf(latencies, 0.99),
  };
}
