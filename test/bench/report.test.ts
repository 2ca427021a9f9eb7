import assert from "node:assert/strict";
import { test } from "node:test";
import { type Report, withOthersOf } from "../../bench/support/report.ts";

const outcomeOf = (number: number, at: string) => ({
  number,
  at,
  title: "a target",
  tookMs: 1,
  others: 0,
  rows: [],
  without: [],
});
const reportOf = (at: string, numbers: readonly number[], node = "24"): Report => ({
  quick: false,
  machine: { node },
  outcomes: numbers.map((number) => outcomeOf(number, at)),
});
const seen = ({ outcomes }: Report) => outcomes.map(({ number, at }) => `${number} ${at}`);

test("a run of some targets leaves the last outcomes of the others, in their order", () => {
  const kept = withOthersOf(reportOf("before", [1, 7, 9]), reportOf("now", [7]));
  assert.deepEqual(seen(kept), ["1 before", "7 now", "9 before"]);
});

test("what was measured by other versions, or in a quick run, is not put beside it", () => {
  const now = reportOf("now", [7]);
  assert.deepEqual(seen(withOthersOf(reportOf("before", [1], "22"), now)), ["7 now"]);
  assert.deepEqual(seen(withOthersOf({ ...reportOf("before", [1]), quick: true }, now)), ["7 now"]);
  assert.deepEqual(seen(withOthersOf(undefined, now)), ["7 now"]);
});
