import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { drizzle } from "drizzle-orm/postgres-js";
import { migrate as applyMigrations } from "drizzle-orm/postgres-js/migrator";
import postgres from "postgres";

const MIGRATIONS_FOLDER = fileURLToPath(new URL("./migrations", import.meta.url));
const FUNCTIONS_FOLDER = new URL("./functions/", import.meta.url);
const GRANTS_FILE = new URL("./grants.sql", import.meta.url);

/** Any number that no other program locks by: "keyturn" as the digits of a telephone. */
const MIGRATION_LOCK = 5_398_876;

/** What `migrate` found to say besides that it is done. */
export type MigrationResult =
  | { readonly kind: "migrated" }
  /** Nothing to do: nothing was locked, replaced or granted. */
  | { readonly kind: "up_to_date" }
  /** The role `keyturn_app` is missing and this login may not create it, so nobody but the owner can run a server. */
  | { readonly kind: "migrated_without_app_role" };

/**
 * Brings the database to the schema of this release: migrations, then functions, then grants. Any number of processes
 * may do so at once: an advisory lock on a connection of its own lets one work and the rest find nothing left to do.
 * @param url login of the schema's owner, who may create roles the first time.
 */
export async function migrate(url: string): Promise<MigrationResult> {
  const sql = postgres(url, {
    max: 1,
    onnotice: () => {},
    connection: { application_name: "keyturn migrate" },
  });
  try {
    await sql`select pg_advisory_lock(${MIGRATION_LOCK}::bigint)`;
    const release = fingerprint();
    if ((await releaseOf(sql)) === release) return { kind: "up_to_date" };
    await applyMigrations(drizzle(sql), {
      migrationsFolder: MIGRATIONS_FOLDER,
      migrationsSchema: "keyturn",
      migrationsTable: "migrations",
    });
    const hasAppRole = await ensureAppRole(sql);
    const grants = hasAppRole ? readFileSync(GRANTS_FILE, "utf8") : "";
    await sql.unsafe(`${functions()}\n${grants}\ncomment on schema keyturn is '${release}'`).simple();
    return { kind: hasAppRole ? "migrated" : "migrated_without_app_role" };
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** The functions as one script, which the server runs as one transaction, in any order. */
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

async function releaseOf(sql: postgres.Sql): Promise<string | null | undefined> {
  const [row] = await sql<{ release: string | null }[]>`
    select obj_description(to_regnamespace('keyturn'), 'pg_namespace') as release`;
  return row?.release;
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
