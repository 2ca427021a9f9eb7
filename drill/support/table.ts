import { type Drill, type DrillResult, INVARIANTS } from "./drill.ts";

/** What became of one drill. */
export interface Row {
  readonly name: string;
  readonly drill: Drill;
  readonly tookMs: number;
  readonly result?: DrillResult;
  readonly skipped?: string;
  /** Why it could not be carried through. */
  readonly failure?: string;
}

export const isGood = ({ result, skipped }: Row): boolean =>
  skipped !== undefined || (result !== undefined && result.broken.length === 0);

/** The rows as a table of Markdown, and below it a sentence for each invariant that broke. */
export function tableOf(rows: readonly Row[]): string {
  const lines = rows.map((row) => {
    const { name, tookMs, result, skipped, failure } = row;
    const did = result?.did ?? (skipped === undefined ? `failed: ${failure}` : `skipped: ${skipped}`);
    const cells = [
      name,
      did,
      result?.lost ?? "–",
      result?.worstRecoveryMs === undefined ? "–" : `${Math.round(result.worstRecoveryMs)} ms`,
      result?.figures ?? "–",
      `${Math.round(tookMs / 1000)} s`,
      skipped !== undefined ? "–" : isGood(row) ? "held" : "BROKEN",
    ];
    return `| ${cells.map((cell) => String(cell).replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`;
  });
  const broken = rows.flatMap(({ name, result }) =>
    (result?.broken ?? []).map(
      ({ invariant, sentence }) => `- ${name}: ${INVARIANTS[invariant]}: ${sentence}`,
    ),
  );
  return [
    "| drill | what was done | lost | worst recovery | figures | took | invariants |",
    "| --- | --- | --- | --- | --- | --- | --- |",
    ...lines,
    ...(broken.length === 0 ? [] : ["", ...broken]),
    "",
  ].join("\n");
}
