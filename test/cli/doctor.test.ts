import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmodSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { givenKeyturn } from "../support/keyturn.ts";
import { givenDataDir } from "./data-folder.ts";
import { type GivenDoctor, givenDoctor } from "./given-doctor.ts";
import { type Scope, scopeOf } from "./keyturn-command.ts";
import { runProgram } from "./program-runner.ts";

const scope = scopeOf({ after });
let d: GivenDoctor;
before(async () => {
  d = await givenDoctor(scope);
});

type Env = Readonly<Record<string, string | undefined>>;
/** Seeds a misconfiguration, and gives the variables that go with it. */
type Seed = (scope: Scope) => Env | Promise<Env>;

interface Case {
  readonly what: string;
  readonly seed: Seed;
  /** Where it is said to be. */
  readonly where: string;
  readonly wrong?: string;
  readonly warns?: string;
}

const key = () => randomBytes(32).toString("base64");

async function keyFile(at: Scope, text: string, mode: number): Promise<Env> {
  const file = join(await givenDataDir(at), "root-key");
  writeFileSync(file, text);
  chmodSync(file, mode);
  return { KEYTURN_ROOT_KEY: undefined, KEYTURN_ROOT_KEY_FILE: file };
}

async function takenPort(at: Scope): Promise<string> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  at.after(() => server.close());
  return String((server.address() as AddressInfo).port);
}

const url = (change: (at: URL) => void): string => {
  const changed = new URL(d.env["DATABASE_URL"] ?? "");
  change(changed);
  return changed.href;
};

/** A login of the cluster's own with these rights, gone after the test. */
async function loginWith(
  at: Scope,
  attributes: string,
  more: (login: string) => string = () => "",
): Promise<Env> {
  const login = `doctor_${randomBytes(4).toString("hex")}`;
  const { sql } = d.db;
  await sql.unsafe(`create role ${login} login password 'geheim' ${attributes}; ${more(login)}`);
  at.after(() => sql.unsafe(`drop owned by ${login}; drop role ${login}`));
  return {
    DATABASE_URL: url((changed) => Object.assign(changed, { username: login, password: "geheim" })),
  };
}

/** Runs SQL in the database as superuser, and other SQL after the test. */
async function changed(at: Scope, change: string, back: string): Promise<Env> {
  await d.db.sql.unsafe(change);
  at.after(() => d.db.sql.unsafe(back));
  return {};
}

const CONFIGURATION: readonly Case[] = [
  {
    what: "no root key",
    seed: () => ({ KEYTURN_ROOT_KEY: undefined }),
    where: "KEYTURN_ROOT_KEY",
    wrong: "configuration",
  },
  {
    what: "a root key that is too short",
    seed: () => ({ KEYTURN_ROOT_KEY: "c2hvcnQ=" }),
    where: "KEYTURN_ROOT_KEY",
    wrong: "configuration",
  },
  {
    what: "a root key twice",
    seed: () => ({ KEYTURN_ROOT_KEY: `${d.env["KEYTURN_ROOT_KEY"]},${d.env["KEYTURN_ROOT_KEY"]}` }),
    where: "KEYTURN_ROOT_KEY",
    wrong: "configuration",
  },
  {
    what: "a root key that somebody has typed",
    seed: () => ({ KEYTURN_ROOT_KEY: Buffer.alloc(32, "keyturn").toString("base64") }),
    where: "KEYTURN_ROOT_KEY",
    wrong: "root_key_guessable",
  },
  {
    what: "a root key file that is not there",
    seed: () => ({ KEYTURN_ROOT_KEY: undefined, KEYTURN_ROOT_KEY_FILE: "/nonexistent/key" }),
    where: "KEYTURN_ROOT_KEY_FILE",
    wrong: "configuration",
  },
  {
    what: "a root key file that everybody can read",
    seed: (at) => keyFile(at, key(), 0o644),
    where: "KEYTURN_ROOT_KEY_FILE",
    wrong: "root_key_readable",
  },
  {
    what: "a root key file that others can write",
    seed: (at) => keyFile(at, key(), 0o620),
    where: "KEYTURN_ROOT_KEY_FILE",
    wrong: "root_key_writable",
  },
  {
    what: "no audience",
    seed: () => ({ KEYTURN_OIDC_AUDIENCE: undefined }),
    where: "KEYTURN_OIDC_AUDIENCE",
    wrong: "configuration",
  },
  {
    what: "an issuer without TLS elsewhere",
    seed: () => ({ KEYTURN_OIDC_ISSUER: "http://login.example.com" }),
    where: "KEYTURN_OIDC_ISSUER",
    wrong: "configuration",
  },
  {
    what: "hashes below OWASP in production",
    seed: () => ({ KEYTURN_ARGON2_MEMORY_KIB: "4096" }),
    where: "KEYTURN_ARGON2_MEMORY_KIB",
    wrong: "configuration",
  },
  {
    what: "a certificate without its key",
    seed: () => ({ KEYTURN_HTTP_CERT_FILE: "package.json" }),
    where: "KEYTURN_HTTP_CERT_FILE and KEYTURN_HTTP_KEY_FILE",
    wrong: "configuration",
  },
  {
    what: "a client CA without TLS",
    seed: () => ({ KEYTURN_GRPC_CLIENT_CA_FILE: "package.json" }),
    where: "KEYTURN_GRPC_CLIENT_CA_FILE",
    wrong: "configuration",
  },
  {
    what: "lifetimes out of order",
    seed: () => ({ KEYTURN_LIFETIME_MAX: "1d" }),
    where: "KEYTURN_LIFETIME_MIN, KEYTURN_LIFETIME_DEFAULT, KEYTURN_LIFETIME_MAX",
    wrong: "configuration",
  },
  {
    what: "a mode that is none",
    seed: () => ({ NODE_ENV: "prod" }),
    where: "NODE_ENV",
    wrong: "configuration",
  },
  {
    what: "a misspelt variable",
    seed: () => ({ KEYTURN_OIDC_ISSUERS: "https://a" }),
    where: "KEYTURN_OIDC_ISSUERS",
    wrong: "unknown_variable",
  },
  {
    what: "proxies anywhere",
    seed: () => ({ KEYTURN_TRUSTED_PROXIES: "10.0.0.0/8,0.0.0.0/0" }),
    where: "KEYTURN_TRUSTED_PROXIES",
    wrong: "trusted_proxies",
  },
  {
    what: "a platform's role that organizations have too",
    seed: () => ({ KEYTURN_PLATFORM_VERIFIER_ROLES: "verifier" }),
    where: "KEYTURN_PLATFORM_VERIFIER_ROLES",
    wrong: "platform_role_shared",
  },
  {
    what: "two doors on one port",
    seed: () => ({ KEYTURN_HTTP_PORT: "45999", KEYTURN_GRPC_PORT: "45999" }),
    where: "KEYTURN_HTTP_PORT",
    wrong: "ports_shared",
  },
  {
    what: "a port that is taken",
    seed: async (at) => ({ KEYTURN_GRPC_PORT: await takenPort(at) }),
    where: "KEYTURN_GRPC_PORT",
    wrong: "port_in_use",
  },
  {
    what: "a host that is not this machine",
    seed: () => ({ KEYTURN_HOST: "192.0.2.1" }),
    where: "KEYTURN_GRPC_PORT",
    wrong: "host_foreign",
  },
  {
    what: "a privileged port",
    seed: () => ({ KEYTURN_HTTP_PORT: "443" }),
    where: "KEYTURN_HTTP_PORT",
    warns: "port_privileged",
  },
  {
    what: "an admin door for everybody",
    seed: () => ({ KEYTURN_ADMIN_HOST: "0.0.0.0" }),
    where: "KEYTURN_ADMIN_HOST",
    warns: "admin_door_public",
  },
  {
    what: "reflection in production",
    seed: () => ({ KEYTURN_REFLECTION: "on" }),
    where: "KEYTURN_REFLECTION",
    warns: "reflection",
  },
  {
    what: "a log that is mute",
    seed: () => ({ LOG_LEVEL: "error" }),
    where: "LOG_LEVEL",
    warns: "log_level",
  },
  {
    what: "development",
    seed: () => ({ NODE_ENV: undefined }),
    where: "NODE_ENV",
    warns: "development_mode",
  },
  {
    what: "cheap hashes in development",
    seed: () => ({ NODE_ENV: undefined, KEYTURN_ARGON2_PASSES: "1" }),
    where: "KEYTURN_ARGON2_MEMORY_KIB, KEYTURN_ARGON2_PASSES",
    warns: "argon2_cost",
  },
];

const database = (what: string, wrong: string, seed: Seed): Case => ({
  what,
  wrong,
  seed,
  where: "DATABASE_URL",
});

const DATABASE: readonly Case[] = [
  database("a database URL that is none", "configuration", () => ({ DATABASE_URL: "db.example.com" })),
  database("a database that cannot be reached", "database_unreachable", () => ({
    DATABASE_URL: url((at) => Object.assign(at, { port: "1" })),
  })),
  database("a host without an address", "database_host", () => ({
    DATABASE_URL: url((at) => Object.assign(at, { hostname: "nowhere.invalid" })),
  })),
  database("a wrong password", "database_password", () => ({
    DATABASE_URL: url((at) => Object.assign(at, { password: "geheim" })),
  })),
  database("a database that is missing", "database_missing", () => ({
    DATABASE_URL: url((at) => Object.assign(at, { pathname: "/nowhere" })),
  })),
  database("a superuser", "login_superuser", (at) => loginWith(at, "superuser")),
  database("a login with BYPASSRLS", "login_bypassrls", (at) =>
    loginWith(at, "bypassrls in role keyturn_app"),
  ),
  database("the owner's login", "login_owner", () => ({ DATABASE_URL: d.db.ownerUrl })),
  database("a login that writes tables", "login_writes", (at) =>
    loginWith(at, "in role keyturn_app", (login) => `grant insert on keyturn.credentials to ${login}`),
  ),
  database("a login without grants", "login_without_grants", (at) => loginWith(at, "")),
  database("a function that may not be called", "login_without_execute", (at) =>
    changed(
      at,
      "revoke execute on function keyturn.sweep from keyturn_app",
      "grant execute on function keyturn.sweep to keyturn_app",
    ),
  ),
  database("migrations that are missing", "schema_behind", (at) =>
    changed(
      at,
      "create table public.last as select * from keyturn.migrations order by created_at desc limit 1; delete from keyturn.migrations where id in (select id from public.last)",
      "insert into keyturn.migrations select * from public.last; drop table public.last",
    ),
  ),
  database("functions of another release", "schema_other", async (at) => {
    const [row] = await d.db.sql`select obj_description('keyturn'::regnamespace, 'pg_namespace') as release`;
    return changed(
      at,
      "comment on schema keyturn is 'keyturn other'",
      `comment on schema keyturn is '${row?.["release"]}'`,
    );
  }),
  database("a database that is read-only", "database_read_only", (at) =>
    changed(
      at,
      `alter database ${d.db.name} set default_transaction_read_only = on`,
      `set transaction_read_only = off; alter database ${d.db.name} reset default_transaction_read_only`,
    ),
  ),
  {
    what: "fewer connections than a server wants",
    where: "KEYTURN_DATABASE_CONNECTIONS_MAX",
    wrong: "database_connections",
    seed: (at) => loginWith(at, "in role keyturn_app connection limit 5"),
  },
  {
    what: "a root key of another database",
    where: "KEYTURN_ROOT_KEY",
    wrong: "root_key_foreign",
    seed: async (at) => {
      await d.db
        .sql`select keyturn.add_signing_key('kid', '{}'::jsonb, ${Buffer.alloc(80)}, null, '0 seconds')`;
      return changed(at, "select 1", "delete from keyturn.signing_keys");
    },
  },
  {
    what: "a later release's migrations",
    where: "DATABASE_URL",
    warns: "schema_newer",
    seed: (at) =>
      changed(
        at,
        "insert into keyturn.migrations (hash, created_at) values ('later', 4102444800000)",
        "delete from keyturn.migrations where hash = 'later'",
      ),
  },
  {
    what: "a password that ends",
    where: "DATABASE_URL",
    warns: "login_password_ends",
    seed: (at) =>
      loginWith(
        at,
        "in role keyturn_app valid until '2999-01-01'",
        (login) => `alter role ${login} valid until '${new Date(Date.now() + 86_400_000).toISOString()}'`,
      ),
  },
];

const issuer = (what: string, wrong: string, seed: Seed): Case => ({ what, wrong, seed, where: "issuer" });
const behaves =
  (as: Parameters<GivenDoctor["issuer"]["behave"]>[0]): Seed =>
  (at) => {
    d.issuer.behave(as);
    at.after(() => d.issuer.behave("well"));
    return {};
  };
const publishes =
  (keys: () => readonly unknown[]): Seed =>
  (at) => {
    const { jwk } = d.issuer.key();
    d.issuer.publish(keys());
    at.after(() => d.issuer.publish([jwk]));
    return {};
  };
const SHARED = { kty: "oct", kid: "shared", alg: "HS256", k: "geheim" };
const UNKNOWN = { kty: "EC", crv: "secp256k1", alg: "ES256K", kid: "one", x: "AA", y: "AA" };

const ISSUERS: readonly Case[] = [
  {
    ...issuer("an issuer that cannot be reached", "issuer_unreachable", () => ({
      KEYTURN_OIDC_ISSUER: "http://127.0.0.1:1",
    })),
    where: "http://127.0.0.1:1",
  },
  issuer("an issuer that answers by errors", "issuer_documents", behaves("status_500")),
  issuer("an issuer that answers by a page", "issuer_documents", behaves("not_json")),
  issuer("an issuer whose metadata differ by a slash", "issuer_slash", behaves("wrong_issuer")),
  issuer(
    "an issuer that has its keys elsewhere in clear",
    "issuer_key_set_address",
    behaves("foreign_key_set_address"),
  ),
  issuer(
    "an issuer without keys",
    "issuer_without_keys",
    publishes(() => []),
  ),
  issuer(
    "an issuer with keys of refused algorithms",
    "issuer_without_keys",
    publishes(() => [UNKNOWN]),
  ),
  issuer(
    "an issuer that publishes a shared key",
    "issuer_key_private",
    publishes(() => [d.issuer.key().jwk, SHARED]),
  ),
  {
    what: "an issuer with one key of a refused algorithm",
    where: "issuer",
    warns: "issuer_keys_skipped",
    seed: publishes(() => [d.issuer.key().jwk, UNKNOWN]),
  },
];

test("nothing is wrong with a production that is complete: exit code 0, and what was fine is said", async () => {
  const { status, named, out } = await d.examine();
  assert.deepEqual([status, named("wrong")], [0, []], out);
  assert.deepEqual(named("warning"), ["issuer_in_clear"], "an issuer of a test has no TLS");
  for (const check of ["configuration", "root_key", "port", "database", "login", "schema", "issuer"])
    assert.ok(named("ok").includes(check), check);
});

for (const { what, seed, where, wrong, warns } of [...CONFIGURATION, ...DATABASE, ...ISSUERS]) {
  test(`${what} is ${wrong === undefined ? "warned of" : "named"}, with its place and what to do`, async (t) => {
    const seeded = await seed(scopeOf(t));
    const { status, findings, named, out } = await d.examine(seeded);
    const found = findings.find(({ check, level }) => check === (wrong ?? warns) && level !== "ok");
    assert.ok(found, out);
    assert.equal(found.where, where === "issuer" ? d.issuer.url : where);
    assert.ok((found.todo ?? "").length > 5);
    assert.deepEqual(named("wrong"), wrong === undefined ? [] : [wrong], out);
    if (warns !== undefined) assert.ok(named("warning").includes(warns));
    assert.equal(status, wrong === undefined ? 0 : 1);
    assert.doesNotMatch(out, /geheim|c2hvcnQ/);
  });
}

test("an issuer that differs from its metadata by a slash is told so, and what to write instead", async () => {
  const { findings } = await d.examine({ KEYTURN_OIDC_ISSUER: `${d.issuer.url}/` });
  const found = findings.find(({ check }) => check === "issuer_slash");
  assert.equal(found?.todo, `set KEYTURN_OIDC_ISSUER to ${d.issuer.url}`);
});

test("an issuer whose metadata name another is told so", async () => {
  const { named } = await d.examine({ KEYTURN_OIDC_ISSUER: d.issuer.url.replace("127.0.0.1", "localhost") });
  assert.deepEqual(named("wrong"), ["issuer_mismatch"]);
});

test("a configuration of which nothing is right is examined to its end", async () => {
  const { status, out } = await runProgram(["doctor", "--output", "json"], {
    env: {
      NODE_ENV: "production",
      DATABASE_URL: "?",
      KEYTURN_OIDC_ISSUER: ",",
      KEYTURN_GRPC_PORT: "x",
      KEYTURN_ROOT_KEY: "?",
    },
  });
  assert.equal(status, 1);
  const { findings } = JSON.parse(out) as { findings: { where: string; level: string }[] };
  const places = new Set(findings.filter(({ level }) => level === "wrong").map(({ where }) => where));
  for (const name of [
    "DATABASE_URL",
    "KEYTURN_OIDC_ISSUER",
    "KEYTURN_GRPC_PORT",
    "KEYTURN_ROOT_KEY",
    "KEYTURN_OIDC_AUDIENCE",
  ])
    assert.ok(places.has(name), name);
});

test("beside a server that runs its ports are no fault", async (t) => {
  const keyturn = await givenKeyturn({ db: d.db, issuer: d.issuer });
  t.after(async () => {
    await keyturn.stop();
    await d.db.sql`delete from keyturn.signing_keys`;
  });
  const port = new URL(keyturn.adminUrl).port;
  const grpc = keyturn.grpcAddress.split(":")[1];
  const changes = {
    KEYTURN_ADMIN_PORT: port,
    KEYTURN_GRPC_PORT: grpc,
    KEYTURN_ROOT_KEY: Buffer.alloc(32, 7).toString("base64"),
  };
  await eventually(async () => (await fetch(`${keyturn.adminUrl}/readyz`)).status === 200);
  const { named } = await d.examine(changes);
  assert.deepEqual(named("wrong"), ["root_key_guessable"]);
  assert.ok(named("ok").includes("doors"));
});

test("a server that runs and is not ready is a fault, in its own words", async (t) => {
  const server = createHttpServer((_req, res) => res.writeHead(503).end("not ready: draining\n"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const { findings, named } = await d.examine({ KEYTURN_ADMIN_PORT: String(port) }, ["--offline"]);
  assert.deepEqual(named("wrong"), ["server_unready"]);
  assert.match(findings.find(({ check }) => check === "server_unready")?.what ?? "", /draining/);
});

test("offline nobody is asked", async () => {
  const { status, named } = await d.examine({ DATABASE_URL: "postgres://u:p@nowhere.invalid/d" }, [
    "--offline",
  ]);
  assert.equal(status, 0);
  assert.equal(named("ok").includes("database"), false);
});

test("without --output json it is a line a finding, and how many there are of each kind", async () => {
  const { status, out } = await runProgram(["doctor"], { env: { ...d.env, KEYTURN_ROOT_KEY: "" } });
  assert.equal(status, 1);
  const lines = out.trimEnd().split("\n");
  for (const line of lines.slice(0, -1)) assert.match(line, /^(ok|warning|wrong) +\S.*: ./);
  assert.ok(
    lines.some((line) => /^wrong +KEYTURN_ROOT_KEY: .*To do: make one: openssl rand -base64 32$/.test(line)),
    out,
  );
  assert.equal(lines.at(-1), "1 wrong, 1 warnings");
});
