import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import type postgres from "postgres";
import { openCallers } from "../support/callers.ts";
import { connectClient, type RestAnswer, rest, restCreate } from "../support/clients.ts";
import { startCluster, type TestCluster } from "../support/cluster.ts";
import { givenAccount } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { startIssuer, type TestIssuer } from "../support/issuer.ts";
import { environment } from "../support/keyturn.ts";
import { type ServerProcess, startServer } from "../support/process.ts";
import { holdAccount } from "../support/row-lock.ts";
import { type SecretSearch, searchFor } from "../support/secret-search.ts";

const PROTOCOLS = ["connect-json", "connect-proto", "grpc-web"] as const;

let cluster: TestCluster;
let sql: postgres.Sql;
let issuer: TestIssuer;
let server: ServerProcess;
let organizationId: string;
let token: string;

const secrets: string[] = [];
const tokens: string[] = [];
/** Whatever callers were told that is no success, with its headers. */
const refusals: string[] = [];
/** What PostgreSQL logged of a server that nobody configured, and of one that logs every parameter as well. */
const postgresLog = { usual: "", everything: "" };
let search: SecretSearch;

before(async () => {
  cluster = await startCluster({
    log_statement: "all",
    log_min_duration_statement: "0",
    log_error_verbosity: "verbose",
  });
  sql = cluster.connect();
  issuer = await startIssuer();
  server = await startServer({ ...environment(cluster.serverUrl, issuer.url), LOG_LEVEL: "trace" });
  organizationId = (await givenAccount(sql)).organizationId;
  token = await tokenWith({ roles: ["admin"] });

  await createAtEveryDoor();
  await failAtEveryDoor();
  postgresLog.usual = await loggedSoFar("first part");
  await sql`alter role keyturn_server set log_parameter_max_length = -1`;
  await sql`alter role keyturn_server set log_parameter_max_length_on_error = -1`;
  await sql`select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'keyturn'`;
  await eventually(async () => (await restCreate(http(), "sa-unknown", token)).status === 404);
  await createAtEveryDoor();
  await failInTheDatabase();
  postgresLog.everything = (await loggedSoFar("second part")).slice(postgresLog.usual.length);

  // The credential's id is public. Random part, tag and checksum are what must not be seen.
  search = searchFor(secrets.map((secret) => secret.slice(-60)));
});
after(async () => {
  await sql?.end({ timeout: 1 });
  await server?.stop();
  await issuer?.stop();
  await cluster?.stop();
});

test("the secret is in no line that the server logs, at the level trace", () => {
  assert.ok(server.output().includes('"msg":"call"'), "the server logs");
  assert.deepEqual(search.find(server.output()), []);
});

test("the secret is in no line that PostgreSQL logs, not even when it logs every statement with its parameters", () => {
  const ids = secrets.map((secret) => secret.slice("plt_cs_".length, -61));
  assert.ok(
    ids.some((id) => postgresLog.everything.includes(id)),
    "PostgreSQL logs parameters",
  );
  assert.deepEqual(search.find(postgresLog.usual), []);
  assert.deepEqual(search.find(postgresLog.everything), []);
});

test("the secret is in no row of any table, audit rows included, and in no statement that runs", async () => {
  const tables = await sql<{ name: string }[]>`
    select quote_ident(schemaname) || '.' || quote_ident(tablename) as name from pg_tables where schemaname = 'keyturn'`;
  assert.ok(tables.length >= 5);
  let rowCount = 0;
  for (const { name } of [...tables, { name: "pg_stat_activity" }]) {
    const rows = await sql.unsafe(`select one::text as row from ${name} one`);
    rowCount += rows.length;
    assert.deepEqual(search.find(rows.map(({ row }) => row).join("\n")), [], name);
  }
  assert.ok(rowCount > 2 * secrets.length);
});

test("the secret is in no dump of the database", async (t) => {
  const dump = await promisify(execFile)("pg_dump", [cluster.superuserUrl], { maxBuffer: 1e9 }).catch(
    (err) => err,
  );
  if (dump instanceof Error) {
    const reason = "stderr" in dump ? String(dump.stderr).trim() : "";
    return t.skip(`pg_dump cannot be used on this machine: ${reason || dump.message}`);
  }
  assert.ok(dump.stdout.includes("COPY keyturn.credentials"));
  assert.deepEqual(search.find(dump.stdout), []);
});

test("the secret is in no metric and in no answer but the one that issued it", async () => {
  const metrics = await rest({ httpUrl: `http://${server.addresses.admin}` }, "/metrics");
  assert.ok(metrics.text.includes("keyturn_calls_total"));
  assert.deepEqual(search.find(metrics.text), []);
  assert.ok(refusals.length > 20);
  assert.deepEqual(search.find(refusals.join("\n")), []);
});

test("bearer tokens and hashes are in no log, of the server or of a PostgreSQL that nobody configured otherwise", () => {
  const signatures = searchFor(tokens.map((one) => one.split(".")[2] ?? ""));
  for (const log of [server.output(), postgresLog.usual, postgresLog.everything]) {
    assert.deepEqual(signatures.find(log), []);
  }
  for (const log of [server.output(), postgresLog.usual]) assert.doesNotMatch(log, /argon2id/);
  assert.match(postgresLog.everything, /argon2id/, "the hash is there to be seen");
});

test("the search finds twelve characters of a secret in whatever spelling", () => {
  const part = (secrets[0] as string).slice(-40, -28);
  const planted = [
    part,
    `{"msg":"${part}"}`,
    Buffer.from(part).toString("hex"),
    Buffer.from(part).toString("hex").toUpperCase(),
    ...["", "x", "xy"].map((before) => Buffer.from(`${before}${part}and more`).toString("base64")),
    Buffer.from(`?${part}?`).toString("base64url"),
  ];
  for (const text of planted) assert.equal(search.find(`before ${text} after`).length > 0, true, text);
  assert.deepEqual(search.find(`before ${part.slice(1)} after ${part.slice(0, 11)}`), []);
});

const http = () => ({ httpUrl: `http://${server.addresses.http}` });

async function tokenWith(claims: Readonly<Record<string, unknown>>): Promise<string> {
  const signed = await issuer.sign({
    claims: { tenant_id: organizationId, sub: "user-admin-001", ...claims },
  });
  tokens.push(signed);
  return signed;
}

async function createAtEveryDoor(): Promise<void> {
  for (let n = 0; n < 3; n += 1) {
    const { id } = await givenAccount(sql, organizationId);
    const answer = await restCreate(http(), id, token);
    assert.equal(answer.status, 201);
    secrets.push(answer.body.clientSecret);
    for (const protocol of PROTOCOLS) secrets.push(await createByConnect(protocol, id));
    await withCallers(async (callers) => {
      const outcome = await callers.create(id, token);
      assert.equal(outcome.kind, "created");
      secrets.push(outcome.created.clientSecret);
      // The sixth is refused.
      keep(await callers.create(id, token));
    });
    keep(await restCreate(http(), id, token));
  }
}

/** Refusals of every sort, most of them by requests that carry a secret where none belongs. */
async function failAtEveryDoor(): Promise<void> {
  const { id } = await givenAccount(sql, organizationId);
  const secret = secrets[0] as string;
  const stranger = await tokenWith({ roles: ["reader"] });
  for (const bearer of [undefined, secret, `${token}x`, stranger]) keep(await restCreate(http(), id, bearer));
  for (const body of [
    "{",
    secret,
    { clientSecret: secret },
    { expiresAt: secret },
    { expiresAt: "2001-01-01T00:00:00Z" },
    { expiresAt: "9999-01-01T00:00:00Z" },
    { expiresAt: new Date(Date.now() + 5_000).toISOString() },
  ]) {
    keep(await restCreate(http(), id, token, body));
  }
  for (const path of ["sa-unknown", secret, `${id}?secret=${secret}`])
    keep(await restCreate(http(), path, token));
  keep(await rest(http(), `/${secret}`));
  for (const protocol of PROTOCOLS) {
    for (const accountId of ["sa-unknown", secret]) {
      await createByConnect(protocol, accountId).catch((err) => refusals.push(inspectable(err)));
    }
  }
  await withCallers(async (callers) => {
    for (const [accountId, bearer] of [
      ["sa-unknown", token],
      [secret, token],
      [id, secret],
      [id, stranger],
    ] as const) {
      keep(await callers.create(accountId, bearer));
    }
  });
}

/** A statement that PostgreSQL itself ends with an error, whose log line shows its parameters. */
async function failInTheDatabase(): Promise<void> {
  const account = await givenAccount(sql, organizationId);
  const held = await holdAccount(cluster, account);
  keep(await restCreate(http(), account.id, token));
  await held.release();
}

async function createByConnect(protocol: (typeof PROTOCOLS)[number], accountId: string): Promise<string> {
  const headers = { authorization: `Bearer ${token}` };
  const created = await connectClient(http(), protocol).createCredential(
    { serviceAccountId: accountId },
    { headers },
  );
  return created.clientSecret;
}

async function withCallers(work: (callers: ReturnType<typeof openCallers>) => Promise<void>): Promise<void> {
  const callers = openCallers(server.addresses.grpc);
  try {
    await work(callers);
  } finally {
    callers.close();
  }
}

function keep(answer: RestAnswer | Awaited<ReturnType<ReturnType<typeof openCallers>["create"]>>): void {
  if ("kind" in answer) {
    assert.equal(answer.kind, "refused");
    refusals.push(inspectable(answer.failure));
    return;
  }
  assert.ok(answer.status >= 400, `${answer.status} ${answer.text}`);
  refusals.push(answer.text, inspectable([...answer.headers]));
}

/** All that a caller could print of it, own properties that do not enumerate included. */
function inspectable(value: unknown): string {
  const own =
    value instanceof Error
      ? Object.getOwnPropertyNames(value).map((name) => [name, Reflect.get(value, name)])
      : value;
  return JSON.stringify(own, (_key, inner) => (typeof inner === "bigint" ? String(inner) : inner));
}

/** PostgreSQL's log, once all that was done so far has arrived in it. */
async function loggedSoFar(marker: string): Promise<string> {
  await sql.unsafe(`select '${marker}'`);
  await eventually(() => cluster.log().includes(`select '${marker}'`));
  return cluster.log();
}
