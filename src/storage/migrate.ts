import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readMigrationFiles } from "drizzle-orm/migrator";
import postgres from "postgres";
import { sessionTarget } from "./session-target.ts";

const MIGRATIONS_FOLDER = fileURLToPath(new URL("./migrations", import.meta.url));
const FUNCTIONS_FOLDER = new URL("./functions/", import.meta.url);
const GRANTS_FILE = new URL("./grants.sql", import.meta.url);

/** Any number that no other program locks by: "keyturn" as the digits of a telephone. */
const MIGRATION_LOCK = 5_398_876;

/** Where drizzle keeps what it has applied, as drizzle itself would create it. */
const MIGRATIONS_TABLE = `
  create schema if not exists keyturn;
  create table if not exists keyturn.migrations (id serial primary key, hash text not null, created_at bigint);`;

/** What `migrate` found to say besides that it is done. */
export type MigrationResult =
  | { readonly kind: "migrated" }
  /** Nothing to do: no table was locked, nothing replaced or granted. */
  | { readonly kind: "up_to_date" }
  /** A later release has been here: its schema serves this one too, and its functions stay. */
  | { readonly kind: "newer" }
  /** The role `keyturn_app` is missing and this login may not create it, so nobody but the owner can run a server. */
  | { readonly kind: "migrated_without_app_role" };

/**
 * Brings the database to the schema of this release: migrations, then functions, then grants. Any number of processes
 * may do so at once: an advisory lock on a connection of its own lets one work and the rest find nothing left to do.
 *
 * All of it is one script, which the server runs as one transaction: whatever ends a run half way, there is nothing or
 * all of it. drizzle's own `migrate()` opens a transaction of the driver's, which is not safe when the connection is
 * lost (docs/adr/0007).
 * @param url login of the schema's owner, who may create roles the first time.
 */
export async function migrate(url: string): Promise<MigrationResult> {
  const sql = postgres(url, {
    ...sessionTarget(url),
    max: 1,
    onnotice: () => {},
    connection: { application_name: "keyturn migrate" },
  });
  try {
    await sql`select pg_advisory_lock(${MIGRATION_LOCK}::bigint)`;
    const release = fingerprint();
    if (await hasRelease(sql, release)) return { kind: "up_to_date" };
    const seen = await seenMigrations(sql);
    const known = new Set(migrations().map(({ folderMillis }) => folderMillis));
    if (seen.some((time) => !known.has(time))) return { kind: "newer" };
    const hasAppRole = await ensureAppRole(sql);
    const script = [
      // Held already, unless the connection was lost and the driver has made another one.
      `select pg_advisory_xact_lock(${MIGRATION_LOCK});`,
      MIGRATIONS_TABLE,
      ...pendingMigrations(seen),
      functions(),
      hasAppRole ? readFileSync(GRANTS_FILE, "utf8") : "",
      `comment on schema keyturn is '${release}';`,
    ];
    await sql.unsafe(script.join("\n")).simple();
    return { kind: hasAppRole ? "migrated" : "migrated_without_app_role" };
  } finally {
    // Nothing is in flight any more, and a client whose connection was lost would take all the time that it gets.
    await sql.end({ timeout: 0 });
  }
}

/** How the schema of a database stands to this release. */
export type SchemaState =
  | "missing"
  /** Migrations of this release are not applied yet. */
  | "behind"
  /** A later release has been here, whose schema serves this one too. */
  | "newer"
  /** The tables are right, the functions or grants are of another release. */
  | "other_functions"
  | "current"
  /** The login may not look. */
  | "unreadable";

export async function schemaState(sql: postgres.Sql): Promise<SchemaState> {
  const [there] = await sql<{ release: string | null; schema: boolean; table: boolean; readable: boolean }[]>`
    select obj_description(to_regnamespace('keyturn'), 'pg_namespace') as release,
           to_regnamespace('keyturn') is not null as schema,
           exists (select from pg_class where relname = 'migrations' and relnamespace = to_regnamespace('keyturn')) as table,
           coalesce(has_schema_privilege(to_regnamespace('keyturn'), 'usage'), false) as readable`;
  if (there?.schema !== true || !there.table) return "missing";
  if (!there.readable) return "unreadable";
  const seen = await seenMigrations(sql);
  const known = migrations().map(({ folderMillis }) => folderMillis);
  if (seen.some((time) => !known.includes(time))) return "newer";
  if (known.some((time) => !seen.includes(time))) return "behind";
  return there.release === fingerprint() ? "current" : "other_functions";
}

/** Functions that a server calls. */
export const grantedFunctions = (): string[] =>
  [...readFileSync(GRANTS_FILE, "utf8").matchAll(/^ {2}keyturn\.(\w+)/gm)].map(([, name = ""]) => name);

const migrations = () => readMigrationFiles({ migrationsFolder: MIGRATIONS_FOLDER });

/** The migrations that the database has seen, by the time at which each was written. */
async function seenMigrations(sql: postgres.Sql): Promise<number[]> {
  const [{ exists } = { exists: false }] = await sql<{ exists: boolean }[]>`
    select to_regclass('keyturn.migrations') is not null as exists`;
  if (!exists) return [];
  const rows = await sql<{ created_at: string }[]>`select created_at::text from keyturn.migrations`;
  return rows.map((row) => Number(row.created_at));
}

/** The migrations that the database has not seen yet, each with the note that it has now. */
function pendingMigrations(seen: readonly number[]): string[] {
  return migrations()
    .filter(({ folderMillis }) => !seen.includes(folderMillis))
    .map(({ sql: statements, hash, folderMillis }) => {
      const note = `insert into keyturn.migrations (hash, created_at) values ('${hash}', ${folderMillis});`;
      return [...statements, note].join(";\n");
    });
}

/** The functions as one script, in any order. */
function functions(): string {
  const files = readdirSync(FUNCTIONS_FOLDER).sort();
  const definitions = files.map((file) => readFileSync(new URL(file, FUNCTIONS_FOLDER), "utf8"));
  return ["set check_function_bodies = off;", ...definitions].join("\n");
}

/** Stands for everything that this release puts into the database; kept there as the comment of the schema. */
function fingerprint(): string {
  const journal = readFileSync(join(MIGRATIONS_FOLDER, "meta", "_journal.json"), "utf8");
  const content = [journal, functions(), readFileSync(GRANTS_FILE, "utf8")].join("\n");
  return `keyturn ${createHash("sha256").update(content).digest("hex")}`;
}

/** Whether the database has all of this release, the grants included: the role may have come after the schema. */
async function hasRelease(sql: postgres.Sql, release: string): Promise<boolean> {
  const [row] = await sql<{ release: string | null; granted: boolean }[]>`
    select obj_description(to_regnamespace('keyturn'), 'pg_namespace') as release,
           exists (select from pg_roles
                    where rolname = 'keyturn_app'
                      and has_schema_privilege(oid, to_regnamespace('keyturn'), 'usage')) as granted`;
  return row?.release === release && row.granted;
}

/** Roles belong to the whole cluster: another database's migration may create it at the same moment. */
async function ensureAppRole(sql: postgres.Sql): Promise<boolean> {
  await sql.unsafe(`
    do $$ begin
      if not exists (select from pg_roles where rolname = 'keyturn_app') then create role keyturn_app nologin; end if;
    exception when duplicate_object or unique_violation or insufficient_privilege then null;
    end $$;`);
  const [row] = await sql`select from pg_roles where rolname = 'keyturn_app'`;
  return row !== undefined;
}
