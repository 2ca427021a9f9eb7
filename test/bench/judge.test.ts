import assert from "node:assert/strict";
import { test } from "node:test";
import { boundText, judge } from "../../bench/support/judge.ts";
import type { Row } from "../../bench/support/target.ts";

const QUIET = 0.01;
const rowOf = (values: readonly number[], rest: Partial<Row> = {}): Row => ({
  what: "ours",
  against: "theirs",
  ours: "",
  theirs: "",
  values,
  unit: "×",
  bound: { atLeast: 2, firstGoal: 1.5, quick: 0.5 },
  ...rest,
});

test("the median of the rounds is what a bound is held against, and the weaker goal is told from none", () => {
  const verdicts = [
    [1.9, 2, 2.4],
    [1.4, 1.6, 2],
    [1.3, 1.4, 1.6],
  ].map((values) => judge(rowOf(values), QUIET, false));
  assert.deepEqual(verdicts, ["met", "first goal met", "missed"]);
});

test("a bound from above is met below it", () => {
  const bound = { atMost: 0.4, firstGoal: 0.5 };
  const verdicts = [0.39, 0.45, 0.51].map((value) => judge(rowOf([value], { bound }), QUIET, false));
  assert.deepEqual(verdicts, ["met", "first goal met", "missed"]);
});

test("a machine in other hands, or rounds that differ too much, leave a target unjudged, good or bad", () => {
  for (const value of [1, 3]) {
    assert.equal(judge(rowOf([value, value, value]), 0.11, false), "not judged: noisy");
    assert.equal(judge(rowOf([value, value, value * 1.6]), QUIET, false), "not judged: noisy");
    assert.notEqual(
      judge(rowOf([value, value, value * 1.6], { spreadMax: 2 }), QUIET, false),
      "not judged: noisy",
    );
  }
});

test("what is counted is judged on every machine", () => {
  const counted = (value: number) =>
    judge(rowOf([value], { isCount: true, unit: "", bound: { atMost: 0 } }), 0.9, false);
  assert.deepEqual([counted(0), counted(1)], ["met", "missed"]);
});

test("a quick run judges by its wide bound alone, on every machine", () => {
  const verdicts = [0.6, 0.4].map((value) => judge(rowOf([value, value, value * 5]), 0.9, true));
  assert.deepEqual(verdicts, ["met", "missed"]);
  assert.equal(boundText(rowOf([1]), true), "≥ 0.5×");
});

test("a row without a bound is there to be read", () => {
  const { bound: _, ...row } = rowOf([1]);
  assert.equal(judge(row, QUIET, false), "–");
  assert.equal(boundText(row, false), "–");
});
