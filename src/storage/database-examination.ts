import postgres from "postgres";
import type { SealedSigningKey } from "../domain/signing-key.ts";
import { grantedFunctions, type SchemaState, schemaState } from "./migrate.ts";
import { SESSION_SETTINGS } from "./session-settings.ts";
import { sessionTarget } from "./session-target.ts";

/** What a database says of itself and of the login. */
export interface DatabaseFacts {
  /** Such as 180004 for 18.4. */
  readonly versionNumber: number;
  readonly login: string;
  readonly isSuperuser: boolean;
  readonly bypassesRls: boolean;
  /** Whether it owns the schema or one of its tables. */
  readonly isOwner: boolean;
  readonly writesTables: boolean;
  /** When the password stops working. */
  readonly passwordEndsAt: Date | null;
  readonly isReadOnly: boolean;
  readonly encoding: string;
  /** Connections that this login may open besides those that are open now, by every limit there is. */
  readonly connectionsLeft: number;
  /** Settings that are off and should not be. */
  readonly unsafeSettings: readonly string[];
  /** Milliseconds that the database's clock is ahead of ours, give or take `roundTripMs`. */
  readonly clockAheadMs: number;
  readonly roundTripMs: number;
  readonly schema: SchemaState;
  /** Functions that a server calls and this login may not. */
  readonly deniedFunctions: readonly string[];
  readonly signingKeys: readonly SealedSigningKey[];
}

export type DatabaseExamination =
  | { readonly facts: DatabaseFacts }
  /** The driver's or PostgreSQL's code, such as `28P01`; or `TIMEOUT`. */
  | { readonly failure: string };

const CONNECT_SECONDS = 5;
const TIMEOUT_MS = 15_000;

/** Looks at a database by one connection that reads only. */
export async function examineDatabase(url: string): Promise<DatabaseExamination> {
  const sql = postgres(url, {
    ...sessionTarget(url),
    max: 1,
    fetch_types: false,
    connect_timeout: CONNECT_SECONDS,
    onnotice: () => {},
    // As a server does, so that what refuses a setting is found.
    connection: { ...SESSION_SETTINGS, application_name: "keyturn doctor" },
  });
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(Object.assign(new Error("late"), { code: "TIMEOUT" })),
    TIMEOUT_MS,
  );
  try {
    return { facts: await Promise.race([factsOf(sql), late.promise]) };
  } catch (err) {
    const code = err instanceof Error && "code" in err ? String(err.code) : "UNKNOWN";
    return { failure: code };
  } finally {
    clearTimeout(timer);
    await sql.end({ timeout: 0 }).catch(() => {});
  }
}

async function factsOf(sql: postgres.Sql): Promise<DatabaseFacts> {
  const clock = await clockOf(sql);
  const schema = await schemaState(sql);
  const hasTables = schema !== "missing" && schema !== "unreadable";
  return {
    ...clock,
    ...(await serverFacts(sql)),
    schema,
    deniedFunctions: schema === "missing" ? [] : await deniedFunctions(sql),
    signingKeys: hasTables ? await signingKeys(sql) : [],
  };
}

/** The second question: the first one has paid for the connection. */
async function clockOf(sql: postgres.Sql): Promise<Pick<DatabaseFacts, "clockAheadMs" | "roundTripMs">> {
  await sql`select 1`;
  const asked = performance.now();
  const askedAt = Date.now();
  const [row] = await sql<{ now: string }[]>`select extract(epoch from clock_timestamp()) * 1000 as now`;
  const roundTripMs = performance.now() - asked;
  return { roundTripMs, clockAheadMs: Number(row?.now) - (askedAt + roundTripMs / 2) };
}

type ServerFacts = Omit<
  DatabaseFacts,
  "clockAheadMs" | "roundTripMs" | "schema" | "deniedFunctions" | "signingKeys"
>;

async function serverFacts(sql: postgres.Sql): Promise<ServerFacts> {
  const [row] = await sql<ServerFacts[]>`
    with here as (select * from pg_database where datname = current_database()),
         me as (select * from pg_roles where rolname = current_user),
         tables as (select c.* from pg_class c where c.relnamespace = to_regnamespace('keyturn') and c.relkind in ('r', 'p'))
    select current_setting('server_version_num')::integer as "versionNumber",
           current_user as login,
           me.rolsuper as "isSuperuser",
           me.rolbypassrls as "bypassesRls",
           pg_has_role((select nspowner from pg_namespace where oid = to_regnamespace('keyturn')), 'usage') is true as "isOwner",
           exists (select from tables where has_table_privilege(oid, 'insert, update, delete, truncate')) as "writesTables",
           me.rolvaliduntil as "passwordEndsAt",
           pg_is_in_recovery() or current_setting('transaction_read_only') = 'on' as "isReadOnly",
           getdatabaseencoding() as encoding,
           least(
             current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
               - (select count(*) from pg_stat_activity where backend_type = 'client backend'),
             case when here.datconnlimit < 0 then null else
               here.datconnlimit - (select count(*) from pg_stat_activity where datname = here.datname) end,
             case when me.rolconnlimit < 0 then null else
               me.rolconnlimit - (select count(*) from pg_stat_activity where usename = me.rolname) end
           )::integer + 1 as "connectionsLeft",
           to_json(array(select name from pg_settings
                          where name in ('fsync', 'full_page_writes', 'synchronous_commit') and setting = 'off'))
             as "unsafeSettings"
      from here, me`;
  if (row === undefined) throw Object.assign(new Error("no such role"), { code: "28000" });
  return row;
}

/** Also those that are not there at all. */
async function deniedFunctions(sql: postgres.Sql): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select proname as name from pg_proc
     where pronamespace = to_regnamespace('keyturn') and has_function_privilege(oid, 'execute')
       and has_schema_privilege(pronamespace, 'usage')`;
  const allowed = new Set(rows.map(({ name }) => name));
  return grantedFunctions().filter((name) => !allowed.has(name));
}

async function signingKeys(sql: postgres.Sql): Promise<SealedSigningKey[]> {
  try {
    return await sql<SealedSigningKey[]>`
      select kid, sealed_private_key as "sealedPrivateKey" from keyturn.signing_keys`;
  } catch {
    // A schema that is behind has no such table; what it lacks is said by itself.
    return [];
  }
}
