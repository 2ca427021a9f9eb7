import { spreadOf } from "./spread.ts";
import type { Bound, Row } from "./target.ts";

export type Verdict = "met" | "first goal met" | "missed" | "not judged: noisy" | "–";

/** From this share of the machine in other hands on, its rates are not the contenders' own. */
export const OTHERS_MAX = 0.1;
const SPREAD_MAX = 1.5;

const keeps = (value: number, isUpper: boolean, limit: number): boolean =>
  isUpper ? value <= limit : value >= limit;

/**
 * What the values of a row come to. A quick run judges by the wide bound alone, whatever else the machine does.
 * @param others the greatest share of the machine that others had while the target ran
 */
export function judge(row: Row, others: number, isQuick: boolean): Verdict {
  const { bound } = row;
  if (bound === undefined) return "–";
  const { median, min, max } = spreadOf(row.values);
  const isUpper = bound.atMost !== undefined;
  if (isQuick) return keeps(median, isUpper, limitOf(bound, true)) ? "met" : "missed";
  const isScattered = row.unit === "×" && max > min * (row.spreadMax ?? SPREAD_MAX);
  if (row.isCount !== true && (others > OTHERS_MAX || isScattered)) return "not judged: noisy";
  if (keeps(median, isUpper, limitOf(bound, false))) return "met";
  return bound.firstGoal !== undefined && keeps(median, isUpper, bound.firstGoal)
    ? "first goal met"
    : "missed";
}

function limitOf(bound: Bound, isQuick: boolean): number {
  return (isQuick ? bound.quick : undefined) ?? bound.atLeast ?? bound.atMost ?? Number.NaN;
}

/** The bound as it stands in the table. */
export function boundText({ bound, unit }: Row, isQuick: boolean): string {
  if (bound === undefined) return "–";
  const sign = bound.atMost === undefined ? "≥" : "≤";
  const first = bound.firstGoal === undefined || isQuick ? "" : ` (first ${bound.firstGoal})`;
  return `${sign} ${limitOf(bound, isQuick)}${unit}${first}`;
}
