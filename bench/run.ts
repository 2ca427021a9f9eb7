/**
 * How fast, against what: `npm run bench`, `npm run bench:quick`, or `npm run bench -- 7 tokens` for some of the targets. Writes
 * bench/RESULT.json and bench/RESULT.md (bench/RESULT.quick.*), in which targets that were left out keep their last outcome.
 * `--all` runs the long ones as well, `--short` shows only that everything runs, and `--document` puts the table of the last
 * outcomes into docs/benchmarks.md and runs nothing. `--profile` runs servers of ours under V8's profiler instead, and judges
 * nothing.
 *
 * Exit code: 0 all met, 1 something missed or failed, 3 nothing missed, but the machine was too busy to judge all of it.
 */
import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { type Ground, type Length, prepareGround } from "./support/bench.ts";
import { OTHERS_MAX } from "./support/judge.ts";
import { machineTime, shareOfOthers } from "./support/processor.ts";
import { profileTarget } from "./support/profile.ts";
import {
  linesOf,
  machineText,
  type Outcome,
  type Report,
  tableOf,
  verdictOf,
  withOthersOf,
  writeDocument,
} from "./support/report.ts";
import type { Target } from "./support/target.ts";

const FULL = { quick: false, isShort: false, rounds: 3, durationMs: 5_000, warmUpMsMax: 15_000 };
const QUICK = { quick: true, isShort: false, rounds: 3, durationMs: 1_500, warmUpMsMax: 2_000 };
/** A target that hangs is one that failed. */
const TARGET_MS_MAX = 600_000;
const LONG_TARGET_MS_MAX = 3_600_000;
const EXIT = { met: 0, missed: 1, noisy: 3 } as const;

const { values: flags, positionals } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    all: { type: "boolean", default: false },
    short: { type: "boolean", default: false },
    document: { type: "boolean", default: false },
    profile: { type: "boolean", default: false },
  },
  allowPositionals: true,
});

const RESULT = flags.quick ? "bench/RESULT.quick" : "bench/RESULT";

/** Those that are named by number or by name; otherwise all that belong to such a run. */
async function targetsNamed(wanted: readonly string[]): Promise<Target[]> {
  const found: Target[] = [];
  for (const file of globSync("bench/targets/*.ts").sort()) {
    const { target } = (await import(pathToFileURL(file).href)) as { readonly target: Target };
    const name = file.replace(/^.*\/\d+-|\.ts$/g, "");
    const isNamed = wanted.includes(String(target.number)) || wanted.includes(name);
    const isOfRun = flags.quick ? target.quick : flags.all || target.isLong !== true;
    if (isNamed || (wanted.length === 0 && isOfRun)) found.push(target);
  }
  if (found.length === 0) throw new Error(`there is no target ${wanted.join(", ")}`);
  return found;
}

async function outcomeOf(target: Target, ground: Ground): Promise<Outcome> {
  const { number, title } = target;
  const without = target.without?.() ?? [];
  const skipped = target.skip?.();
  const at = new Date().toISOString();
  if (skipped !== undefined) return { number, at, title, tookMs: 0, others: 0, rows: [], without, skipped };
  const since = performance.now();
  const before = machineTime();
  const about = () => ({
    number,
    at: new Date().toISOString(),
    title,
    without,
    tookMs: performance.now() - since,
    others: shareOfOthers(before, machineTime()),
  });
  const late = new AbortController();
  try {
    const limitMs = target.isLong ? LONG_TARGET_MS_MAX : TARGET_MS_MAX;
    const tooLate = delay(limitMs, undefined, { signal: late.signal }).then(() => {
      throw new Error("took too long");
    });
    const rows = await Promise.race([target.run(ground.bench), tooLate]);
    return { ...about(), rows };
  } catch (err) {
    return { ...about(), rows: [], failure: err instanceof Error ? (err.stack ?? err.message) : String(err) };
  } finally {
    late.abort();
    await ground.endTarget();
  }
}

async function profileAll(targets: readonly Target[], { bench, endTarget }: Ground, length: Length) {
  const { postgresPid } = bench;
  const print = (text: string) => void process.stdout.write(text);
  for (const target of targets) {
    const skipped = target.skip?.();
    print(`## ${target.number}. ${target.title}\n\n${skipped === undefined ? "" : `skipped: ${skipped}\n`}`);
    if (skipped !== undefined) continue;
    await profileTarget(target, bench, { ...length, postgresPid }, print).finally(endTarget);
  }
}

function exitCodeOf({ outcomes, quick }: Report): number {
  const verdicts = outcomes.flatMap((outcome) => outcome.rows.map((row) => verdictOf(outcome, row, quick)));
  const isMissed = verdicts.some((verdict) => verdict === "missed" || verdict === "first goal met");
  if (isMissed || outcomes.some(({ failure }) => failure !== undefined)) return EXIT.missed;
  return verdicts.includes("not judged: noisy") ? EXIT.noisy : EXIT.met;
}

function lastReport(): Report | undefined {
  return existsSync(`${RESULT}.json`) ? JSON.parse(readFileSync(`${RESULT}.json`, "utf8")) : undefined;
}

async function main(): Promise<number> {
  if (flags.document) {
    if (Object.values(flags).filter(Boolean).length > 1 || positionals.length > 0)
      throw new Error("--document runs nothing: give it alone, after the run whose table it is to write");
    const report = lastReport();
    if (report === undefined) throw new Error("--document needs a run before it");
    writeDocument(report);
    return EXIT.met;
  }
  const targets = await targetsNamed(positionals);
  const before = machineTime();
  await delay(1_000);
  const others = shareOfOthers(before, machineTime());
  if (others > OTHERS_MAX)
    process.stdout.write(`others have ${(others * 100).toFixed(0)} % of the machine: too much to judge\n`);
  // Short rounds show that everything runs; their values are worth nothing.
  const length = flags.quick ? QUICK : flags.short ? { ...QUICK, quick: false, isShort: true } : FULL;
  await using ground = await prepareGround(length);
  let isStopping = false;
  const stop = async () => {
    isStopping = true;
    try {
      await ground[Symbol.asyncDispose]();
    } finally {
      process.exit(EXIT.missed);
    }
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void stop());
  if (flags.profile) {
    await profileAll(targets, ground, length);
    return EXIT.met;
  }
  const outcomes: Outcome[] = [];
  for (const target of targets) {
    process.stdout.write(`${target.number}. ${target.title}\n`);
    const outcome = await outcomeOf(target, ground);
    if (isStopping) return new Promise<never>(() => {});
    outcomes.push(outcome);
    process.stdout.write(linesOf(outcome, flags.quick));
  }
  const machine = machineText(await ground.bench.postgresVersion());
  const report = { quick: flags.quick, machine, outcomes };
  // Short rounds show nothing that is worth keeping.
  if (flags.short) return exitCodeOf(report);
  const kept = withOthersOf(lastReport(), report);
  writeFileSync(`${RESULT}.json`, `${JSON.stringify(kept, undefined, 2)}\n`);
  writeFileSync(`${RESULT}.md`, tableOf(kept));
  return exitCodeOf(report);
}

process.exit(await main());
