/** Carries out drills for `drill/run.ts`, which is what to call. */
import { globSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import type { Drill } from "./support/drill.ts";
import { type SeededBug, seededRoot } from "./support/seeded-bug.ts";
import { isGood, type Row, tableOf } from "./support/table.ts";

const RESULT = "drill/RESULT.md";
/** A drill that hangs is one that failed. */
const QUICK_MS_MAX = 1_800_000;
const FULL_MS_MAX = 3_600_000;

// An end by exit is one that ends the servers of the drill, too.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(1));

const { values: flags, positionals } = parseArgs({
  options: { quick: { type: "boolean", default: false }, prove: { type: "boolean", default: false } },
  allowPositionals: true,
});

async function drillsNamed(names: readonly string[]): Promise<Map<string, Drill>> {
  const found = new Map<string, Drill>();
  const files = globSync("drill/*/*.ts").filter((file) => !file.startsWith("drill/support/"));
  for (const file of files.sort()) {
    const name = file.slice("drill/".length, -".ts".length);
    if (names.length > 0 && !names.some((wanted) => name === wanted || name.startsWith(`${wanted}/`)))
      continue;
    found.set(name, (await import(pathToFileURL(file).href)).drill);
  }
  if (found.size === 0) throw new Error(`there is no drill ${names.join(", ")}`);
  return found;
}

async function rowOf(name: string, drill: Drill, bug?: SeededBug): Promise<Row> {
  const since = performance.now();
  const base = { name, drill };
  const skipped = drill.skip?.();
  if (skipped !== undefined) return { ...base, tookMs: 0, skipped };
  using seeded = seededRoot(bug);
  const late = new AbortController();
  try {
    const result = await Promise.race([
      drill.run({ quick: flags.quick, root: seeded.root, bug }),
      delay(flags.quick ? QUICK_MS_MAX : FULL_MS_MAX, undefined, { signal: late.signal }).then(() => {
        throw new Error("took too long");
      }),
    ]);
    return { ...base, tookMs: performance.now() - since, result };
  } catch (err) {
    const failure = err instanceof Error ? (err.stack ?? err.message) : String(err);
    return { ...base, tookMs: performance.now() - since, failure };
  } finally {
    late.abort();
  }
}

async function carryOut(drills: ReadonlyMap<string, Drill>): Promise<boolean> {
  const rows: Row[] = [];
  for (const [name, drill] of drills) {
    process.stdout.write(`${name}: ${drill.title}\n`);
    rows.push(await rowOf(name, drill));
    const { failure, skipped, tookMs, result } = rows.at(-1) as Row;
    const outcome = failure ?? skipped ?? `${result?.did}; ${result?.figures ?? ""}`;
    process.stdout.write(`  ${Math.round(tookMs / 1000)} s: ${outcome}\n`);
  }
  const table = tableOf(rows);
  writeFileSync(RESULT, table);
  process.stdout.write(`\n${table}`);
  return rows.every(isGood);
}

/** Whether each bug turns its drill red, for the invariant that it is meant to break. */
async function prove(drills: ReadonlyMap<string, Drill>): Promise<boolean> {
  let isProven = true;
  for (const [name, drill] of drills) {
    for (const bug of drill.bugs) {
      const row = await rowOf(name, drill, bug);
      const found = row.result?.broken.find(({ invariant }) => invariant === bug.breaks);
      if (found === undefined && row.skipped === undefined) isProven = false;
      const others = row.result?.broken.map(({ invariant, sentence }) => `${invariant}: ${sentence}`) ?? [];
      const unseen = others.length === 0 ? "STAYED GREEN" : others.join("; ");
      const outcome = found?.sentence ?? row.skipped ?? row.failure ?? unseen;
      process.stdout.write(
        `${name}, ${bug.name} (${bug.breaks}): ${found === undefined ? "NOT PROVEN: " : ""}${outcome}\n`,
      );
    }
  }
  return isProven;
}

const drills = await drillsNamed(positionals);
process.exit((await (flags.prove ? prove(drills) : carryOut(drills))) ? 0 : 1);
