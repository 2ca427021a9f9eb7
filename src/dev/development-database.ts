import { randomBytes } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import postgres from "postgres";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "./embedded-postgres.ts";
import { placePostgresFolder } from "./postgres-folder.ts";
import { HOST } from "./postmaster.ts";

export interface DevelopmentDatabase {
  /** Login that owns the schema: for migrations and seed data. */
  readonly ownerUrl: string;
  /** Login that may call functions and read: for the server, as in production. */
  readonly serverUrl: string;
  readonly postgres: EmbeddedPostgres;
}

const DATABASE = "keyturn";
const OWNER = "keyturn_owner";
const SERVER = "keyturn_server";

/** Starts the embedded PostgreSQL below the data folder, with the two logins that a production database has as well. */
export async function startDevelopmentDatabase(dataDir: string): Promise<DevelopmentDatabase> {
  const embedded = await startEmbeddedPostgres({ dataDir: join(dataDir, "postgres") });
  try {
    return { ...(await createLogins(embedded, DATABASE)), postgres: embedded };
  } catch (err) {
    await embedded.stop();
    throw err;
  }
}

/** Passwords are new at every start and written nowhere: whoever needs a login is told here. */
export async function createLogins(
  embedded: EmbeddedPostgres,
  database: string,
): Promise<Pick<DevelopmentDatabase, "ownerUrl" | "serverUrl">> {
  const ownerPassword = randomBytes(24).toString("base64url");
  const serverPassword = randomBytes(24).toString("base64url");
  const sql = postgres(embedded.url({ ...embedded.superuser, database: "postgres" }), {
    max: 1,
    onnotice: () => {},
  });
  try {
    await sql.unsafe(`
      do $$ begin
        if not exists (select from pg_roles where rolname = 'keyturn_app') then create role keyturn_app nologin; end if;
        if not exists (select from pg_roles where rolname = '${OWNER}') then create role ${OWNER} login; end if;
        if not exists (select from pg_roles where rolname = '${SERVER}') then create role ${SERVER} login; end if;
      end $$;
      alter role ${OWNER} password '${ownerPassword}';
      alter role ${SERVER} password '${serverPassword}';
      grant keyturn_app to ${SERVER};`);
    const [found] = await sql`select from pg_database where datname = ${database}`;
    if (found === undefined) await sql.unsafe(`create database ${database} owner ${OWNER}`);
  } finally {
    await sql.end({ timeout: 5 });
  }
  return {
    ownerUrl: embedded.url({ user: OWNER, password: ownerPassword, database }),
    serverUrl: embedded.url({ user: SERVER, password: serverPassword, database }),
  };
}

/**
 * The database that a server of this data folder runs on at this moment, for a command beside it: as superuser, for the
 * passwords of the other logins are known to that server alone. Undefined when none runs.
 */
export async function runningDevelopmentDatabase(dataDir: string): Promise<string | undefined> {
  const isThere = await stat(dataDir).catch(() => undefined);
  if (isThere === undefined) return undefined;
  const folder = await placePostgresFolder(join(dataDir, "postgres"));
  const read = (path: string) => readFile(path, "utf8").catch(() => undefined);
  const [lock, password] = await Promise.all([
    read(join(folder.location, "postmaster.pid")),
    read(folder.sidecar("password")),
  ]);
  // The fourth line is the port (PostgreSQL documentation, "Database File Layout").
  const port = lock?.split("\n")[3];
  if (port === undefined || password === undefined) return undefined;
  return `postgres://postgres:${encodeURIComponent(password)}@${HOST}:${port}/${DATABASE}`;
}
