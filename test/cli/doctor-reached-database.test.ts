import { randomBytes } from "node:crypto";
import { after, before } from "node:test";
import { type GivenDoctor, givenDoctor } from "./given-doctor.ts";
import { type Scope, scopeOf } from "./keyturn-command.ts";
import { type Misconfiguration, type Seed, testEach, warning, wrong } from "./misconfiguration.ts";

const scope = scopeOf({ after });
let d: GivenDoctor;
before(async () => {
  d = await givenDoctor(scope);
});

const DAY_MS = 86_400_000;

/** The database's URL with these parts changed. */
const urlWith =
  (parts: Partial<Pick<URL, "username" | "password" | "hostname" | "port" | "pathname">>): Seed =>
  (_at, { env }) => ({ DATABASE_URL: Object.assign(new URL(env["DATABASE_URL"] ?? ""), parts).href });

/** A login of the cluster's own with these rights, gone after the test. */
const loginWith =
  (attributes: string, more: (login: string) => string = () => ""): Seed =>
  async (at, { db, env }) => {
    const username = `doctor_${randomBytes(4).toString("hex")}`;
    await db.sql.unsafe(`create role ${username} login password 'geheim' ${attributes}; ${more(username)}`);
    at.after(() => db.sql.unsafe(`drop owned by ${username}; drop role ${username}`));
    const url = new URL(env["DATABASE_URL"] ?? "");
    return { DATABASE_URL: Object.assign(url, { username, password: "geheim" }).href };
  };

/** Runs SQL in the database as superuser, and other SQL after the test. */
async function changed(
  at: Scope,
  { db }: GivenDoctor,
  change: string,
  back: string,
): Promise<Readonly<Record<string, string>>> {
  await db.sql.unsafe(change);
  at.after(() => db.sql.unsafe(back));
  return {};
}

const database = (what: string, check: string, seed: Seed): Misconfiguration =>
  wrong(what, check, "DATABASE_URL", seed);

const CONNECTIONS: readonly Misconfiguration[] = [
  database("a database URL that is none", "configuration", { DATABASE_URL: "db.example.com" }),
  database("a database that cannot be reached", "database_unreachable", urlWith({ port: "1" })),
  database("a host without an address", "database_host", urlWith({ hostname: "nowhere.invalid" })),
  database("a wrong password", "database_password", urlWith({ password: "geheim" })),
  database("a database that is missing", "database_missing", urlWith({ pathname: "/nowhere" })),
  wrong(
    "fewer connections than a server wants",
    "database_connections",
    "KEYTURN_DATABASE_CONNECTIONS_MAX",
    loginWith("in role keyturn_app connection limit 5"),
  ),
  database("a database that is read-only", "database_read_only", (at, given) =>
    changed(
      at,
      given,
      `alter database ${given.db.name} set default_transaction_read_only = on`,
      `set transaction_read_only = off; alter database ${given.db.name} reset default_transaction_read_only`,
    ),
  ),
];

const LOGINS: readonly Misconfiguration[] = [
  database("a superuser", "login_superuser", loginWith("superuser")),
  database("a login with BYPASSRLS", "login_bypassrls", loginWith("bypassrls in role keyturn_app")),
  database("the owner's login", "login_owner", (_at, { db }) => ({ DATABASE_URL: db.ownerUrl })),
  database(
    "a login that writes tables",
    "login_writes",
    loginWith("in role keyturn_app", (login) => `grant insert on keyturn.credentials to ${login}`),
  ),
  database("a login without grants", "login_without_grants", loginWith("")),
  database("a function that may not be called", "login_without_execute", (at, given) =>
    changed(
      at,
      given,
      "revoke execute on function keyturn.sweep from keyturn_app",
      "grant execute on function keyturn.sweep to keyturn_app",
    ),
  ),
  warning(
    "a password that ends",
    "login_password_ends",
    "DATABASE_URL",
    loginWith(
      "in role keyturn_app valid until '2999-01-01'",
      (login) => `alter role ${login} valid until '${new Date(Date.now() + DAY_MS).toISOString()}'`,
    ),
  ),
];

const SCHEMAS: readonly Misconfiguration[] = [
  database("a database that was never migrated", "schema_missing", urlWith({ pathname: "/postgres" })),
  database("migrations that are missing", "schema_behind", (at, given) =>
    changed(
      at,
      given,
      "create table public.last as select * from keyturn.migrations order by created_at desc limit 1; delete from keyturn.migrations where id in (select id from public.last)",
      "insert into keyturn.migrations select * from public.last; drop table public.last",
    ),
  ),
  database("functions of another release", "schema_other", async (at, given) => {
    const [row] = await given.db
      .sql`select obj_description('keyturn'::regnamespace, 'pg_namespace') as release`;
    return changed(
      at,
      given,
      "comment on schema keyturn is 'keyturn other'",
      `comment on schema keyturn is '${row?.["release"]}'`,
    );
  }),
  warning("a later release's migrations", "schema_newer", "DATABASE_URL", (at, given) =>
    changed(
      at,
      given,
      "insert into keyturn.migrations (hash, created_at) values ('later', 4102444800000)",
      "delete from keyturn.migrations where hash = 'later'",
    ),
  ),
  wrong("a root key of another database", "root_key_foreign", "KEYTURN_ROOT_KEY", async (at, given) => {
    await given.db
      .sql`select keyturn.add_signing_key('kid', '{}'::jsonb, ${Buffer.alloc(80)}, null, '0 seconds')`;
    return changed(at, given, "select 1", "delete from keyturn.signing_keys");
  }),
];

testEach(() => d, [...CONNECTIONS, ...LOGINS, ...SCHEMAS]);
