import { spawn } from "node:child_process";
import { once } from "node:events";
import postgres from "postgres";
import { schemaState } from "../../src/storage/migrate.ts";
import { createByFirstRelease, installFirstRelease } from "../../test/storage/first-release.ts";
import { auditFaults } from "../../test/support/audit.ts";
import { startCluster, type TestCluster } from "../../test/support/cluster.ts";
import { givenAccount } from "../../test/support/database.ts";
import { eventually } from "../../test/support/eventually.ts";
import type { Broken, Drill, DrillRun } from "../support/drill.ts";
import { seedDatabase } from "../support/seeded-bug.ts";

const AT_ONCE = 8;
const CRASHES = { quick: 2, full: 20 };
/** As many as the first release lets an account have. */
const CREDENTIALS = 5;

/** How a migration is ended in its midst: its process is killed, or its connection is lost. */
const WAYS = ["SIGKILL to the process", "its backend terminated"] as const;

export const drill: Drill = {
  title: "migrations of a database of the first release end in their midst, and then eight run at once",
  invariants: ["whole", "kept", "audited"],
  bugs: [
    {
      name: "a migration in several transactions",
      breaks: "whole",
      file: "src/storage/migrate.ts",
      from: 'await sql.unsafe(script.join("\\n")).simple();',
      to: "for (const part of script) await sql.unsafe(part).simple();",
    },
    {
      name: "migrations that do not wait for each other",
      breaks: "whole",
      file: "src/storage/migrate.ts",
      from: "select pg_advisory_lock(",
      to: "select abs(",
    },
  ],
  skip: () => (process.platform === "win32" ? "needs the signals of POSIX" : undefined),
  async run(run) {
    const cluster = await startCluster();
    try {
      const crashes = run.quick ? CRASHES.quick : CRASHES.full;
      const broken: Broken[] = [];
      for (let crash = 0; crash < crashes; crash += 1) {
        const way = WAYS[crash % WAYS.length] as (typeof WAYS)[number];
        broken.push(...(await migrateAfterCrash(run, cluster, `old_${crash}`, way)));
      }
      return { did: `${crashes} crashes, and ${AT_ONCE} at once after each`, broken };
    } finally {
      await cluster.stop();
    }
  },
};

async function migrateAfterCrash(
  run: DrillRun,
  cluster: TestCluster,
  database: string,
  way: (typeof WAYS)[number],
): Promise<Broken[]> {
  await using old = await givenFirstRelease(cluster, database);
  const { sql, ownerUrl, organizationId, ids } = old;
  const before = await columnsOf(sql);
  await crash(run, old, way);
  const broken: Broken[] = [];
  const [half, seen] = [await columnsOf(sql), await schemaState(sql)];
  if (seen !== "current" && half !== before)
    broken.push({ invariant: "whole", sentence: `after ${way} the schema is ${seen} and not as before` });
  const ends = await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      const child = migration(run, ownerUrl);
      return (await once(child, "exit"))[0];
    }),
  );
  const failed = ends.filter((code) => code !== 0).length;
  if (failed > 0) broken.push({ invariant: "whole", sentence: `${failed} of ${AT_ONCE} at once failed` });
  const state = await schemaState(sql);
  if (state !== "current") broken.push({ invariant: "whole", sentence: `at the end the schema is ${state}` });
  await seedDatabase(sql, run.bug);
  const rows = await sql<{ id: string }[]>`select id from keyturn.credentials`;
  const present = new Set(rows.map(({ id }) => id));
  const lost = ids.filter((id) => !present.has(id)).length;
  if (lost > 0) broken.push({ invariant: "kept", sentence: `${lost} of ${ids.length} are lost` });
  if (state === "current")
    for (const sentence of await auditFaults(sql, organizationId))
      broken.push({ invariant: "audited", sentence });
  return broken;
}

interface OldDatabase extends AsyncDisposable {
  readonly sql: postgres.Sql;
  readonly ownerUrl: string;
  readonly organizationId: string;
  /** Of the credentials that the first release has issued. */
  readonly ids: readonly string[];
}

async function givenFirstRelease(cluster: TestCluster, database: string): Promise<OldDatabase> {
  const admin = cluster.connect();
  await admin.unsafe(`create database ${database} owner keyturn_owner`);
  await admin.end();
  const ownerUrl = inDatabase(cluster.ownerUrl, database);
  await installFirstRelease({ ownerUrl });
  const sql = cluster.connect(database);
  const account = await givenAccount(sql);
  const ids: string[] = [];
  for (let count = 0; count < CREDENTIALS; count += 1) ids.push(await createByFirstRelease(sql, account));
  return {
    sql,
    ownerUrl,
    organizationId: account.organizationId,
    ids,
    [Symbol.asyncDispose]: () => sql.end({ timeout: 1 }),
  };
}

/** Somebody reads a table, which the migration waits for; there it ends. */
async function crash(run: DrillRun, { sql, ownerUrl }: OldDatabase, way: string): Promise<void> {
  const isWaiting = async () => {
    const rows = await sql`
      select from pg_locks l join pg_stat_activity a on a.pid = l.pid
       where a.application_name = 'keyturn migrate' and a.datname = current_database()
         and l.locktype = 'relation' and not l.granted`;
    return rows.length > 0;
  };
  // On a connection of its own: within a transaction the server shows its activity as it once was.
  const reader = postgres(ownerUrl, { max: 1, onnotice: () => {} });
  await reader.unsafe("begin");
  await reader.unsafe("lock table keyturn.credentials in access share mode");
  const child = migration(run, ownerUrl);
  const ended = once(child, "exit");
  const isHeldUp = await Promise.race([eventually(isWaiting), ended.then(() => false)]);
  if (isHeldUp && way === "SIGKILL to the process") child.kill("SIGKILL");
  else if (isHeldUp)
    await sql`
      select pg_terminate_backend(pid) from pg_stat_activity
       where application_name = 'keyturn migrate' and datname = current_database()`;
  await ended;
  await reader.unsafe("commit");
  await reader.end({ timeout: 1 });
  // The backend of a process that was killed may still end what it was told.
  await eventually(async () => {
    const rows = await sql`
      select from pg_stat_activity where application_name = 'keyturn migrate' and datname = current_database()`;
    return rows.length === 0;
  });
}

const migration = (run: DrillRun, ownerUrl: string) =>
  spawn(process.execPath, ["bin/keyturn.mjs", "migrate"], {
    cwd: run.root,
    env: { NODE_ENV: "production", DATABASE_URL: ownerUrl },
    stdio: "ignore",
  });

/** Every column of every table and every function, as one text. */
async function columnsOf(sql: postgres.Sql): Promise<string> {
  const rows = await sql`
    select table_name || '.' || column_name as name from information_schema.columns where table_schema = 'keyturn'
    union all
    select oid::regprocedure::text from pg_proc where pronamespace = 'keyturn'::regnamespace
    order by 1`;
  return JSON.stringify(rows);
}

function inDatabase(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.href;
}
