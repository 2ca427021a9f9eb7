import { readFileSync, writeFileSync } from "node:fs";
import { arch, availableParallelism, cpus, release } from "node:os";
import { isDeepStrictEqual } from "node:util";
import { boundText, judge, type Verdict } from "./judge.ts";
import { peerVersions } from "./peers.ts";
import { spreadOf } from "./spread.ts";
import type { Row } from "./target.ts";
import { figure } from "./turns.ts";

/** What became of one target. */
export interface Outcome {
  readonly number: number;
  /** When it was over, as ISO 8601. */
  readonly at: string;
  readonly title: string;
  readonly tookMs: number;
  /** The share of the machine that others had meanwhile. */
  readonly others: number;
  readonly rows: readonly Row[];
  readonly skipped?: string;
  /** What it was not compared with, and why. */
  readonly without: readonly string[];
  /** Why it could not be carried through. */
  readonly failure?: string;
}

/** The last outcome of each target, as they are kept in `bench/RESULT.json`. */
export interface Report {
  readonly quick: boolean;
  readonly machine: Readonly<Record<string, string>>;
  readonly outcomes: readonly Outcome[];
}

const DOCUMENT = "docs/benchmarks.md";
const [BEGIN, END] = ["<!-- last run -->", "<!-- end of the last run -->"];

export function machineText(postgres: string): Readonly<Record<string, string>> {
  return {
    node: process.versions.node,
    postgres,
    ...peerVersions(),
    kernel: release().split(".").slice(0, 2).join("."),
    processor: `${availableParallelism()} × ${cpus()[0]?.model ?? "unknown"} (${arch()})`,
  };
}

export const verdictOf = (outcome: Outcome, row: Row, quick: boolean): Verdict =>
  judge(row, outcome.others, quick);

/** The outcomes of a run, and of the one before those of targets that it left out, if they are of the same machine. */
export function withOthersOf(before: Report | undefined, report: Report): Report {
  const isAlike = before?.quick === report.quick && isDeepStrictEqual(before.machine, report.machine);
  if (before === undefined || !isAlike) return report;
  const numbers = new Set(report.outcomes.map(({ number }) => number));
  const others = before.outcomes.filter(({ number }) => !numbers.has(number));
  const outcomes = [...others, ...report.outcomes].sort((a, b) => a.number - b.number);
  return { ...report, outcomes };
}

/** One line for each row, as it is printed while the run goes on. */
export function linesOf(outcome: Outcome, quick: boolean): string {
  const { skipped, failure } = outcome;
  if (skipped !== undefined) return `   skipped: ${skipped}\n`;
  if (failure !== undefined) return `   failed: ${failure}\n`;
  const lines = outcome.rows.map(
    (row) =>
      `   ${row.what} / ${row.against}\n      ${valuesText(row)}, wanted ${boundText(row, quick)}: ${verdictOf(outcome, row, quick)}` +
      `${row.ours === "" ? "" : `   (${row.ours}; ${row.theirs})`}${row.cpu === undefined ? "" : `   CPU ms each ${row.cpu}`}\n`,
  );
  const without = outcome.without.map((reason) => `   ${reason}\n`);
  return `${lines.join("")}${without.join("")}   ${Math.round(outcome.tookMs / 1000)} s, others had ${percent(outcome.others)} of the machine\n`;
}

function valuesText({ values, unit }: Row): string {
  const { median, min, max } = spreadOf(values);
  return `${figure(median)}${unit} [${figure(min)}–${figure(max)}]`;
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

/** Versions, and the rows as a table of Markdown. */
export function tableOf({ quick, machine, outcomes }: Report): string {
  const versions = Object.entries(machine)
    .map(([name, version]) => `${name} ${version}`)
    .join(", ");
  const lines = outcomes.flatMap((outcome) => {
    const { number, title, skipped, failure } = outcome;
    const reason = failure === undefined ? skipped : `failed: ${failure.split("\n")[0]}`;
    if (reason !== undefined) return [cells(number, title, reason, "–", "–", "–", "–", "–")];
    const rows = outcome.rows.map((row) =>
      cells(
        number,
        row.what,
        row.against,
        row.ours === "" ? "–" : `${row.ours}; ${row.theirs}`,
        row.cpu ?? "–",
        valuesText(row),
        boundText(row, quick),
        verdictOf(outcome, row, quick),
      ),
    );
    return [
      ...rows,
      ...outcome.without.map((absent) => cells(number, title, absent, "–", "–", "–", "–", "–")),
    ];
  });
  const most = Math.max(0, ...outcomes.map(({ others }) => others));
  const times = outcomes.map(({ at }) => at.slice(0, 16).replace("T", " ")).sort();
  return [
    `${times[0]} to ${times.at(-1)} UTC${quick ? ", a quick run" : ""}. ${versions}. Others had at most ${percent(most)} of the machine during a target.`,
    "",
    "| # | what | against | ours; theirs | CPU ms each: server + PostgreSQL + load | value | wanted | |",
    "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ...lines,
    "",
  ].join("\n");
}

const cells = (...values: readonly (string | number)[]): string =>
  `| ${values.map((value) => String(value).replaceAll("|", "\\|")).join(" | ")} |`;

/** Puts the table of a run into docs/benchmarks.md, between its two marks. */
export function writeDocument(report: Report): void {
  const text = readFileSync(DOCUMENT, "utf8");
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`${DOCUMENT} has no place for the table`);
  writeFileSync(DOCUMENT, `${text.slice(0, from)}${BEGIN}\n\n${tableOf(report)}\n${text.slice(to)}`);
}
