import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { loadedArgon2 } from "../../src/auth/argon2-build.ts";
import { accepts, databaseOf, filesIn, givenDataDir } from "./data-folder.ts";
import { create, developmentEnv, runCommand, scopeOf, startDevelopment } from "./keyturn-command.ts";

const ACME = "sa-pipeline-prod";
const GLOBEX = "sa-reporting";
const HAS_CURL = spawnSync("curl", ["--version"]).status === 0;

const scope = scopeOf({ after });
let dataDir: string;
let server: Awaited<ReturnType<typeof startDevelopment>>;
/** Printed before any server has run on the folder. */
let earlyToken: string;
before(async () => {
  dataDir = await givenDataDir(scope);
  earlyToken = await token("acme");
  // Whatever is private has to be so by its own mode and not by the mask of whoever starts this.
  const program = ["sh", "-c", 'umask 000 && exec "$0" "$@"', process.execPath, "bin/keyturn.mjs"];
  server = await startDevelopment(scope, dataDir, {}, { program });
});

async function token(org: string, roles = "admin"): Promise<string> {
  const args = ["token", "--org", org, "--sub", "user-admin-001", "--roles", roles];
  const { status, out, err } = await runCommand(scope, args, developmentEnv(dataDir));
  assert.deepEqual([status, err], [0, ""]);
  assert.match(out, /^[\w-]+\.[\w-]+\.[\w-]+$/);
  return out;
}

const curlLine = () => server.lineWith((line) => (line.startsWith("curl ") ? line : undefined));

test("the first line that is printed has the build of argon2 and the addresses of the doors, and each of them is open", async () => {
  const [first = ""] = server.out().split("\n", 1);
  const { msg, grpc, http, admin, argon2 } = JSON.parse(first);
  assert.deepEqual([msg, argon2], ["listening", loadedArgon2()]);
  for (const address of [grpc, http, admin]) {
    assert.match(address, /^127\.0\.0\.1:[1-9]\d*$/);
    assert.equal(await accepts(address), true);
  }
  assert.equal((await fetch(`http://${admin}/readyz`)).status, 200);
});

test("the printed line answers 201 when it is pasted into a shell", {
  skip: HAS_CURL ? false : "this machine has no curl",
}, async () => {
  const { stdout, status } = spawnSync("sh", ["-c", await curlLine()], { encoding: "utf8" });
  assert.equal(status, 0);
  assert.match(stdout, /^HTTP\/1\.1 201 Created\r\n/);
  assert.match(stdout, /"clientSecret":"plt_cs_/);
});

test("the request that the printed line stands for is answered 201", async () => {
  const line = await curlLine();
  const shape = /^curl -i -X POST (\S+) -H '([^']+): ([^']+)' -H '([^']+): ([^']+)' -d '([^']+)'$/;
  const [, url = "", name1 = "", value1 = "", name2 = "", value2 = "", body = ""] = shape.exec(line) ?? [];
  const headers = { [name1]: value1, [name2]: value2 };
  const res = await fetch(url, { method: "POST", headers, body });
  assert.equal(res.status, 201);
  assert.equal(((await res.json()) as { serviceAccountId: string }).serviceAccountId, ACME);
});

test("acme and globex have an account each, and neither one sees the other's", async () => {
  const [acme, globex] = [await token("acme"), await token("globex")];
  assert.equal((await create(server.addresses.http, ACME, acme)).status, 201);
  assert.equal((await create(server.addresses.http, GLOBEX, globex)).status, 201);
  assert.equal((await create(server.addresses.http, GLOBEX, acme)).status, 404);
  assert.equal((await create(server.addresses.http, ACME, globex)).status, 404);
});

test("a token that was printed before the first start opens the server, and roles decide", async () => {
  assert.equal((await create(server.addresses.http, ACME, earlyToken)).status, 201);
  assert.equal((await create(server.addresses.http, ACME, await token("acme", "viewer"))).status, 403);
  assert.equal((await create(server.addresses.http, ACME, await token("acme", ""))).status, 403);
});

test("the database is PostgreSQL on a loopback port", async () => {
  const database = await databaseOf(dataDir);
  assert.equal(await accepts(`127.0.0.1:${database?.port}`), true);
});

test("every file of the data folder is for its owner alone, but for the pid", () => {
  const files = filesIn(dataDir);
  assert.deepEqual(files, [
    "development-issuer.json",
    "postgres",
    "postgres.log",
    "postgres.owner.pid",
    "postgres.password",
    "root-key",
  ]);
  const modes = files.map((name) => (statSync(join(dataDir, name)).mode & 0o777).toString(8));
  assert.deepEqual(modes, ["600", "700", "600", "644", "600", "600"]);
});
