import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, beforeEach, type TestContext, test } from "node:test";
import { accepts, databaseOf, filesIn, givenDataDir, isRunning } from "./data-folder.ts";
import { create, developmentEnv, runCommand, scopeOf, startDevelopment } from "./keyturn-command.ts";

const ACME = "sa-pipeline-prod";
const FILES_AT_REST = [
  "development-issuer.json",
  "postgres",
  "postgres.log",
  "postgres.password",
  "root-key",
];

/** One data folder for the file, as an initdb is what takes time: the tests follow each other like days. */
const scope = scopeOf({ after });
let dataDir: string;
let token: string;
before(async () => {
  dataDir = await givenDataDir(scope);
  const args = ["token", "--org", "acme", "--sub", "user-admin-001", "--roles", "admin"];
  token = (await runCommand(scope, args, developmentEnv(dataDir))).out;
});

/** Started anew for each test, by whatever the last one has left. */
let server: Awaited<ReturnType<typeof startDevelopment>>;
let database: { pid: number; port: number };
beforeEach(async (context) => {
  server = await startDevelopment(scopeOf(context as TestContext), dataDir);
  const found = await databaseOf(dataDir);
  assert.ok(found);
  database = found;
});

const createForAcme = () => create(server.addresses.http, ACME, token);

async function assertGone(): Promise<void> {
  assert.equal(isRunning(database.pid), false);
  const { grpc, http, admin } = server.addresses;
  for (const address of [grpc, http, admin, `127.0.0.1:${database.port}`]) {
    assert.equal(await accepts(address), false, address);
  }
  assert.deepEqual(filesIn(dataDir), FILES_AT_REST);
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`${signal} ends the server with 0, and leaves no process, no port and no file of its own`, async () => {
    assert.equal((await createForAcme()).status, 201);
    server.kill(signal);
    assert.equal(await server.ended, 0);
    await assertGone();
    assert.match(server.out(), /"msg":"stopped"\}$/);
    assert.equal(server.err(), "");
  });
}

test("credentials, keys and tokens of the runs before are still good", async () => {
  const keys = () =>
    ["root-key", "development-issuer.json"].map((name) => readFileSync(join(dataDir, name), "utf8"));
  const before = keys();
  const statuses: number[] = [];
  for (const _ of Array(4)) statuses.push((await createForAcme()).status);
  assert.deepEqual(statuses, [201, 201, 201, 409]);
  assert.deepEqual(keys(), before);
});

test("a second server on the folder names the first in one line and exits 1, and the first goes on", async () => {
  const second = await runCommand(scope, ["serve"], developmentEnv(dataDir));
  assert.deepEqual([second.status, second.out], [1, ""]);
  assert.match(second.err, new RegExp(`^keyturn: [^\\n]*pid ${server.pid}\\b[^\\n]*$`));
  assert.equal((await createForAcme()).status, 409);
});

test("after a SIGKILL the next start ends the orphaned database and has all that was acknowledged", async (t) => {
  const args = ["token", "--org", "globex", "--sub", "user-admin-002", "--roles", "owner"];
  const { out: globexToken } = await runCommand(scope, args, developmentEnv(dataDir));
  assert.equal((await create(server.addresses.http, "sa-reporting", globexToken)).status, 201);
  server.kill("SIGKILL");
  assert.equal(await server.ended, "SIGKILL");
  const orphan = database;
  assert.equal(isRunning(orphan.pid), true);

  server = await startDevelopment(scopeOf(t), dataDir);
  assert.equal(isRunning(orphan.pid), false);
  const statuses: number[] = [];
  for (const _ of Array(5)) {
    statuses.push((await create(server.addresses.http, "sa-reporting", globexToken)).status);
  }
  assert.deepEqual(statuses, [201, 201, 201, 201, 409]);
});

test("a second signal ends a server that takes its time to drain, at once and with 1", async () => {
  process.kill(database.pid, "SIGSTOP");
  try {
    server.kill("SIGTERM");
    await server.lineWith((line) => (line.includes('"msg":"draining"') ? line : undefined));
    server.kill("SIGTERM");
    assert.equal(await server.ended, 1);
    assert.equal(server.err(), "");
  } finally {
    process.kill(database.pid, "SIGCONT");
  }
});

test("when its database ends by itself the server says so and exits 1", async () => {
  process.kill(database.pid, "SIGQUIT");
  assert.equal(await server.ended, 1);
  assert.match(server.out(), /"level":"fatal",[^\n]*"msg":"the embedded database has ended"/);
  await assertGone();
});

test("a port that somebody else has is named, and nothing is left running", async () => {
  const holder = createServer().listen(0, "127.0.0.1");
  await once(holder, "listening");
  const { port } = holder.address() as AddressInfo;
  server.kill("SIGTERM");
  await server.ended;
  const env = { ...developmentEnv(dataDir), KEYTURN_HTTP_PORT: String(port) };
  const { status, err } = await runCommand(scope, ["serve"], env);
  holder.close();
  assert.equal(status, 1);
  assert.match(err, new RegExp(`^keyturn: [^\\n]*127\\.0\\.0\\.1:${port}[^\\n]*$`));
  await assertGone();
});

test("ending the npm that started it ends the server and its database", { timeout: 60_000 }, async (t) => {
  server.kill("SIGTERM");
  await server.ended;
  const env = { PATH: process.env["PATH"] ?? "", npm_config_logs_max: "0" };
  const npm = { program: ["npm", "start", "--silent"], serveArgs: [] };
  server = await startDevelopment(scopeOf(t), dataDir, env, npm);
  database = (await databaseOf(dataDir)) ?? database;
  server.kill("SIGTERM");
  await server.ended;
  await assertGone();
});
