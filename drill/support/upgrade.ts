import { execFile } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import type { Broken, DrillResult, DrillRun, Invariant } from "./drill.ts";
import { type Fleet, fleetUnderLoad } from "./fleet.ts";
import { checkHealth } from "./green.ts";
import { handOver } from "./hand-over.ts";
import type { PreviousSources } from "./previous-sources.ts";
import { seedDatabase } from "./seeded-bug.ts";
import type { Scene } from "./under-load.ts";
import type { WorldDatabase } from "./world.ts";

const REPLICAS = 2;
const WORKERS = 4;
/** A server that finds something missing says so at its third look, one a second. */
const LOOKED_MS = 5_000;

/** An empty database for the previous release. */
export interface OldDatabase extends WorldDatabase {
  readonly ownerUrl: string;
}

/** Nothing more can be tried. */
class Stuck extends Error {}

/** Under load: two servers of the previous release see their database migrated, then one of this release beside one of theirs,
 * then two of the previous release again, and two of this one at last. */
export async function upgradeAndBack(
  run: DrillRun,
  previous: PreviousSources,
  database: OldDatabase,
): Promise<DrillResult> {
  const steps = stepsOf(run, previous, database.ownerUrl);
  const installed = await steps.command(previous.root, "migrate");
  if (installed.code !== 0) throw new Error(`the previous release does not migrate: ${installed.text}`);
  return fleetUnderLoad(
    // A bug of the database comes with the migration.
    { ...run, bug: undefined },
    REPLICAS,
    async (fleet, scene) => {
      const { forward, back } = steps;
      const migratedMs = await steps.migrate(fleet, scene).catch(unlessStuck);
      if (migratedMs !== undefined)
        await forward(fleet, scene)
          .then(() => back(fleet, scene))
          .then(() => steps.forwardAgain(fleet, scene))
          .catch(unlessStuck);
      const figures = migratedMs === undefined ? undefined : `migrated in ${migratedMs} ms`;
      return { did: "", broken: steps.broken, figures };
    },
    { database, firstRoot: previous.root, mayLoseServer: true, workers: WORKERS },
  );
}

function unlessStuck(err: unknown): undefined {
  if (!(err instanceof Stuck)) throw err;
}

function stepsOf(run: DrillRun, previous: PreviousSources, ownerUrl: string) {
  const broken: Broken[] = [];
  const broke = (sentence: string, invariant: Invariant = "exchangeable") =>
    void broken.push({ invariant, sentence });
  const command = (root: string, ...args: string[]) => keyturn(root, ownerUrl, args);
  const goesOn = async ({ load }: Scene, when: string) => {
    if ((await load.recovery()) < Number.POSITIVE_INFINITY) return;
    broke(`${when} no create is acknowledged`);
    throw new Stuck();
  };
  return {
    broken,
    command,
    /** Migrates while the previous release serves. @returns how long it took. */
    async migrate({ servers }: Fleet, scene: Scene): Promise<number> {
      const health = servers().map(checkHealth);
      const since = performance.now();
      const { code, text } = await command(run.root, "migrate");
      const tookMs = Math.round(performance.now() - since);
      if (code !== 0) broke(`the migration ends with ${code}: ${text}`);
      await seedDatabase(scene.world.sql, run.bug);
      await delay(LOOKED_MS);
      const unhealthy = new Set((await Promise.all(health.map((check) => check.stop()))).flat());
      for (const sentence of unhealthy) broke(`the previous release, once migrated: ${sentence}`);
      if (unhealthy.size > 0) throw new Stuck();
      await goesOn(scene, "after the migration");
      return tookMs;
    },
    /** One server is of this release, beside one of the previous. */
    async forward(fleet: Fleet, scene: Scene): Promise<void> {
      await fleet.restart(0, {}, run.root);
      const [ours, theirs] = fleet.servers().map((server, index) => ({
        release: index === 0 ? "new" : "previous",
        server,
      }));
      if (ours === undefined || theirs === undefined) return;
      broken.push(...(await handOver(scene.world, ours, theirs)));
      broken.push(...(await handOver(scene.world, theirs, ours)));
    },
    /** All are of the previous release again, whose own migration leaves the schema as it is. */
    async back(fleet: Fleet, scene: Scene): Promise<void> {
      const { code, text } = await command(previous.root, "migrate");
      if (code !== 0) broke(`the migrate of the previous release ends with ${code}: ${text}`);
      await fleet.restart(0, {}, previous.root);
      await goesOn(scene, "with the previous release on the new schema");
    },
    async forwardAgain(fleet: Fleet, scene: Scene): Promise<void> {
      const { code, text } = await command(run.root, "migrate");
      if (code !== 0 || !text.includes("already")) broke(`the second migration says ${code}: ${text}`);
      await seedDatabase(scene.world.sql, run.bug);
      for (let index = 0; index < REPLICAS; index += 1) await fleet.restart(index, {}, run.root);
      await goesOn(scene, "forward again");
      await scene.load.stop();
      const audit = await command(run.root, "audit", "verify");
      if (audit.code !== 0) broke(audit.text.slice(-300), "audited");
    },
  };
}

/** Carries out a command of these sources. */
function keyturn(root: string, databaseUrl: string, args: readonly string[]) {
  const env = { NODE_ENV: "production", DATABASE_URL: databaseUrl };
  return new Promise<{ readonly code: number | string; readonly text: string }>((resolve) =>
    execFile(process.execPath, ["bin/keyturn.mjs", ...args], { cwd: root, env }, (err, stdout, stderr) =>
      resolve({ code: err?.code ?? err?.signal ?? 0, text: stdout + stderr }),
    ),
  );
}
