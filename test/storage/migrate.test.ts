import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, globSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { migrate } from "../../src/storage/migrate.ts";
import { givenAccount, givenDatabase, type TestDatabase } from "../support/database.ts";
import { callCreate } from "./create-call.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const run = promisify(execFile);

interface Schema {
  readonly tables: number;
  readonly functions: number;
  readonly migrations: number;
  readonly grants: number;
}

const NOTHING: Schema = { tables: 0, functions: 0, migrations: 0, grants: 0 };

/** How much of the schema is there. */
async function schemaOf(db: TestDatabase): Promise<Schema> {
  const [row] = await db.sql<Schema[]>`
    select (select count(*)::int from pg_class where relnamespace = to_regnamespace('keyturn') and relkind = 'r') as tables,
           (select count(*)::int from pg_proc where pronamespace = to_regnamespace('keyturn')) as functions,
           0 as migrations,
           (select count(*)::int from pg_class
             where relnamespace = to_regnamespace('keyturn') and has_table_privilege('keyturn_app', oid, 'SELECT')) as grants`;
  assert.ok(row);
  if (row.tables === 0) return row;
  const [{ migrations } = { migrations: 0 }] = await db.sql<{ migrations: number }[]>`
    select count(*)::int as migrations from keyturn.migrations`;
  return { ...row, migrations };
}

async function givenEmptyDatabase(t: { after(fn: () => Promise<void>): void }): Promise<TestDatabase> {
  const db = await givenDatabase("empty");
  t.after(() => db.drop());
  return db;
}

async function assertWorks(db: TestDatabase): Promise<void> {
  assert.equal((await callCreate(db.sql, await givenAccount(db.sql))).outcome, "done");
}

test("eight processes that migrate one empty database at once all succeed, and one of them has done it", async (t) => {
  const db = await givenEmptyDatabase(t);
  const env = { NODE_ENV: "production", DATABASE_URL: db.ownerUrl };
  const runs = Array.from({ length: 8 }, () =>
    run(process.execPath, ["bin/keyturn.mjs", "migrate"], { cwd: ROOT, env }),
  );
  const said = (await Promise.all(runs)).map(({ stdout }) => /\b(now|already)\./.exec(stdout)?.[1]);
  assert.deepEqual(said.sort(), [...Array(7).fill("already"), "now"]);
  await assertWorks(db);
});

test("thirty-two connections that migrate one empty database at once all succeed", async (t) => {
  const db = await givenEmptyDatabase(t);
  const results = await Promise.all(Array.from({ length: 32 }, () => migrate(db.ownerUrl)));
  assert.equal(results.filter(({ kind }) => kind === "migrated").length, 1);
  assert.equal(results.filter(({ kind }) => kind === "up_to_date").length, 31);
});

test("a database that is up to date is not even looked into: a migrate waits for no lock of any table", async (t) => {
  const db = await givenEmptyDatabase(t);
  await migrate(db.ownerUrl);
  const holder = await db.sql.reserve();
  await holder`begin`;
  for (const { name } of await holder<{ name: string }[]>`
    select oid::regclass::text as name from pg_class where relnamespace = 'keyturn'::regnamespace and relkind = 'r'`) {
    await holder.unsafe(`lock table ${name} in access exclusive mode`);
  }
  assert.deepEqual(await migrate(db.ownerUrl), { kind: "up_to_date" });
  await holder`rollback`;
  holder.release();
});

/** Ends the connection that runs the n-th command which changes the schema. Counted by a sequence: no rollback undoes that. */
async function killAtCommand(db: TestDatabase, n: number): Promise<void> {
  await db.sql.unsafe(`
    create schema if not exists killer;
    create sequence if not exists killer.commands;
    grant usage on schema killer to public;
    grant all on sequence killer.commands to public;
    drop event trigger if exists killer;
    create or replace function killer.count() returns event_trigger language plpgsql as $$ begin
      if nextval('killer.commands') = ${n} then perform pg_terminate_backend(pg_backend_pid()); end if;
    end $$;
    select setval('killer.commands', 1, false);
    create event trigger killer on ddl_command_end
      when tag in ('CREATE SCHEMA', 'CREATE TABLE', 'ALTER TABLE', 'CREATE INDEX', 'CREATE FUNCTION', 'CREATE TYPE',
                   'DROP FUNCTION', 'DROP INDEX', 'GRANT', 'REVOKE', 'COMMENT')
      execute function killer.count();`);
}

test("a migrate that is killed at any of its commands leaves nothing, and the next one completes", async (t) => {
  const db = await givenEmptyDatabase(t);
  let kills = 0;
  for (let n = 1; ; n += 1) {
    await killAtCommand(db, n);
    const result = await migrate(db.ownerUrl).catch(() => "killed" as const);
    if (result !== "killed") {
      assert.deepEqual(result, { kind: "migrated" });
      break;
    }
    kills += 1;
    assert.deepEqual(await schemaOf(db), NOTHING, `killed at command ${n}`);
  }
  const functions = readdirSync(join(ROOT, "src/storage/functions")).length;
  const migrations = globSync("*.sql", { cwd: join(ROOT, "src/storage/migrations") }).length;
  assert.ok(kills >= 50 + functions, `killed ${kills} times`);
  assert.deepEqual(await schemaOf(db), { tables: 13, functions, migrations, grants: 13 });
  assert.deepEqual(await migrate(db.ownerUrl), { kind: "up_to_date" });
  await assertWorks(db);
});

test("a database of another release gets the functions and grants of this one, once", async (t) => {
  const db = await givenEmptyDatabase(t);
  await migrate(db.ownerUrl);
  const whole = await schemaOf(db);
  await db.sql.unsafe(`
    drop function keyturn.details_of;
    revoke select on keyturn.credentials from keyturn_app;
    comment on schema keyturn is 'keyturn of another release'`);
  assert.deepEqual(await migrate(db.ownerUrl), { kind: "migrated" });
  assert.deepEqual(await schemaOf(db), whole);
  assert.deepEqual(await migrate(db.ownerUrl), { kind: "up_to_date" });
});

test("the schema of a later release is left as it is", async (t) => {
  const db = await givenEmptyDatabase(t);
  await migrate(db.ownerUrl);
  await db.sql.unsafe(`
    insert into keyturn.migrations (hash, created_at) select 'of a later release', max(created_at) + 1 from keyturn.migrations;
    drop function keyturn.details_of;
    comment on schema keyturn is 'keyturn of a later release'`);
  const theirs = await schemaOf(db);
  assert.deepEqual(await migrate(db.ownerUrl), { kind: "newer" });
  assert.deepEqual(await schemaOf(db), theirs);
});

test("the migrations add up to the schema in the code: there is none left to generate", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "keyturn-migrations-"));
  t.after(() => rmSync(folder, { recursive: true }));
  cpSync(join(ROOT, "src/storage/migrations"), folder, { recursive: true });
  const before = readdirSync(folder, { recursive: true }).sort();
  // Relative: the tool takes an absolute path for one below its own folder.
  const out = relative(ROOT, folder);
  const args = ["--dialect=postgresql", "--schema=./src/storage/*schema.ts", `--out=${out}`];
  await run(process.execPath, ["node_modules/drizzle-kit/bin.cjs", "generate", ...args], { cwd: ROOT });
  assert.deepEqual(readdirSync(folder, { recursive: true }).sort(), before);
  const check = ["check", "--dialect=postgresql", `--out=${out}`];
  await run(process.execPath, ["node_modules/drizzle-kit/bin.cjs", ...check], { cwd: ROOT });
});
