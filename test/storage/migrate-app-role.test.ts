import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import postgres from "postgres";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../src/dev/embedded-postgres.ts";
import { migrate } from "../../src/storage/migrate.ts";

/** Roles belong to a whole cluster and `keyturn_app` is in the one that the tests share: this is another. */
let cluster: EmbeddedPostgres;
let folder: string;
let admin: postgres.Sql;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "keyturn-roles-"));
  // Where PostgreSQL runs as another user than root, that user must be able to enter.
  await chmod(folder, 0o755);
  cluster = await startEmbeddedPostgres({ dataDir: join(folder, "postgres"), settings: { fsync: "off" } });
  admin = postgres(cluster.url({ ...cluster.superuser, database: "postgres" }), {
    max: 1,
    onnotice: () => {},
  });
});
after(async () => {
  await admin.end();
  await cluster.stop();
  await rm(folder, { recursive: true });
});

let database = "";
beforeEach(async () => {
  if (database !== "") await admin.unsafe(`drop database ${database} with (force)`);
  await admin.unsafe("drop role if exists keyturn_app");
  database = `d${randomBytes(5).toString("hex")}`;
});

/** A login that owns the database. */
async function givenOwner(attributes: string): Promise<string> {
  const [user, password] = [`o${randomBytes(5).toString("hex")}`, randomBytes(12).toString("hex")];
  await admin.unsafe(`create role ${user} login ${attributes} password '${password}'`);
  await admin.unsafe(`create database ${database} owner ${user}`);
  return cluster.url({ user, password, database });
}

async function mayCreate(url: string): Promise<boolean> {
  const sql = postgres(url, { max: 1 });
  try {
    const [row] = await sql`
      select bool_or(has_function_privilege('keyturn_app', oid, 'EXECUTE')) as granted
        from pg_proc where proname = 'create_credential'`;
    return row?.["granted"];
  } finally {
    await sql.end();
  }
}

test("an owner who may create roles gets the server's role by the way", async () => {
  const url = await givenOwner("createrole");
  assert.deepEqual(await migrate(url), { kind: "migrated" });
  assert.equal(await mayCreate(url), true);
});

test("an owner who may not create roles is told which one is missing, for as long as it is", async () => {
  const url = await givenOwner("nocreaterole");
  assert.deepEqual(await migrate(url), { kind: "migrated_without_app_role" });
  assert.deepEqual(await migrate(url), { kind: "migrated_without_app_role" });
});

test("once somebody has created the role, the next migrate grants it what a server needs", async () => {
  const url = await givenOwner("nocreaterole");
  await migrate(url);
  await admin.unsafe("create role keyturn_app nologin");
  assert.deepEqual(await migrate(url), { kind: "migrated" });
  assert.equal(await mayCreate(url), true);
  assert.deepEqual(await migrate(url), { kind: "up_to_date" });
});

test("databases of one cluster that are migrated at once do not meet over the role", async (t) => {
  const url = await givenOwner("createrole");
  const names = [1, 2, 3].map((n) => `${database}_${n}`);
  const urls = names.map((name) => url.replace(`/${database}`, `/${name}`));
  for (const name of names) {
    await admin.unsafe(`create database ${name} owner ${new URL(url).username}`);
  }
  t.after(async () => {
    for (const name of names) await admin.unsafe(`drop database ${name} with (force)`);
  });
  const results = await Promise.all([url, ...urls].map(migrate));
  assert.deepEqual(new Set(results.map(({ kind }) => kind)), new Set(["migrated"]));
  for (const migrated of [url, ...urls]) assert.equal(await mayCreate(migrated), true);
});
