import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { givenDatabase } from "../support/database.ts";
import { startIssuer } from "../support/issuer.ts";
import { eventually } from "../support/stored.ts";
import { givenDataDir } from "./data-folder.ts";
import {
  create,
  developmentEnv,
  runCommand,
  type Scope,
  scopeOf,
  startCommand,
  startDevelopment,
} from "./keyturn-command.ts";

const ACCOUNTS = [
  { organization_id: "acme", id: "sa-pipeline-prod" },
  { organization_id: "globex", id: "sa-reporting" },
];
const TOKEN = ["token", "--org", "acme", "--sub", "user-admin-001", "--roles", "admin"];

async function givenEmptyDatabase(scope: Scope) {
  const db = await givenDatabase("empty");
  scope.after(() => db.drop());
  return db;
}

test("outside production a database of one's own is migrated and has the seed data, at every start", async (t) => {
  const scope = scopeOf(t);
  const [db, dataDir] = [await givenEmptyDatabase(scope), await givenDataDir(scope)];
  for (const _ of ["first", "second"]) {
    const server = await startDevelopment(scope, dataDir, { DATABASE_URL: db.ownerUrl });
    const accounts = await db.sql`select organization_id, id from keyturn.service_accounts order by 1`;
    assert.deepEqual([...accounts], ACCOUNTS);
    const { out: token } = await runCommand(scope, TOKEN, developmentEnv(dataDir));
    assert.equal((await create(server.addresses.http, "sa-pipeline-prod", token)).status, 201);
    server.kill("SIGTERM");
    assert.equal(await server.ended, 0);
    await db.sql`delete from keyturn.service_accounts where id = 'sa-reporting'`;
  }
  assert.equal(existsSync(join(dataDir, "postgres")), false);
});

test("with an issuer of one's own the development issuer is trusted no more, and no token of it is printed", async (t) => {
  const scope = scopeOf(t);
  const [db, dataDir, issuer] = [
    await givenEmptyDatabase(scope),
    await givenDataDir(scope),
    await startIssuer(),
  ];
  scope.after(() => issuer.stop());
  const { out: developmentToken } = await runCommand(scope, TOKEN, developmentEnv(dataDir));
  const env = { DATABASE_URL: db.ownerUrl, KEYTURN_OIDC_ISSUER: issuer.url };
  const server = await startDevelopment(scope, dataDir, env);
  const { http } = server.addresses;
  assert.equal((await create(http, "sa-pipeline-prod", await issuer.sign())).status, 201);
  assert.equal((await create(http, "sa-pipeline-prod", developmentToken)).status, 401);
  assert.doesNotMatch(server.out(), /curl/);

  const refused = await runCommand(scope, TOKEN, { ...developmentEnv(dataDir), ...env });
  assert.deepEqual([refused.status, refused.out], [1, ""]);
  assert.match(refused.err, /^keyturn: KEYTURN_OIDC_ISSUER [^\n]*$/);
});

test("tokens and the printed line follow the configured claims, audience and roles", async (t) => {
  const scope = scopeOf(t);
  const [db, dataDir] = [await givenEmptyDatabase(scope), await givenDataDir(scope)];
  const env = {
    DATABASE_URL: db.ownerUrl,
    KEYTURN_TENANT_CLAIM: "https://example.com/tenant",
    KEYTURN_ROLES_CLAIM: "realm_access.roles",
    KEYTURN_ADMIN_ROLES: "boss",
    KEYTURN_OIDC_AUDIENCE: "credentials-api",
  };
  const server = await startDevelopment(scope, dataDir, env);
  const args = ["token", "--org", "globex", "--sub", "user-1", "--roles", "boss"];
  const { out: token } = await runCommand(scope, args, { ...developmentEnv(dataDir), ...env });
  const line = await server.lineWith((found) => (found.startsWith("curl ") ? found : undefined));
  const printed = /Bearer ([^']+)'/.exec(line)?.[1] ?? "";
  assert.equal((await create(server.addresses.http, "sa-reporting", token)).status, 201);
  assert.equal((await create(server.addresses.http, "sa-pipeline-prod", printed)).status, 201);
});

const WRONG = [
  { args: ["token", "--sub", "user-1"], says: "--org" },
  { args: ["token", "--org", "acme"], says: "--sub" },
  { args: ["token", "--org", "acme", "--sub", "user-1", "--ttl", "1h"], says: "--ttl" },
  { args: ["token", "--org", "acme", "--sub", "user-1", "--role", "admin"], says: "--role" },
  { args: ["sreve"], says: "sreve" },
  { args: ["migrate"], says: "DATABASE_URL", exits: 1 },
];
for (const { args, says, exits = 2 } of WRONG) {
  test(`keyturn ${args.join(" ")} says what is wrong with it, does nothing and exits ${exits}`, async (t) => {
    const scope = scopeOf(t);
    const dataDir = await givenDataDir(scope);
    const { status, out, err } = await runCommand(scope, args, developmentEnv(dataDir));
    assert.deepEqual([status, out], [exits, ""]);
    assert.ok(err.includes(says), err);
    assert.equal(existsSync(join(dataDir, "development-issuer.json")), false);
  });
}

test("a migrate needs the database and nothing else, in production too, and says what it did", async (t) => {
  const scope = scopeOf(t);
  const env = { NODE_ENV: "production", DATABASE_URL: (await givenEmptyDatabase(scope)).ownerUrl };
  const said: string[] = [];
  for (const _ of ["first", "second"]) {
    const { status, out, err } = await runCommand(scope, ["migrate"], env);
    assert.deepEqual([status, err], [0, ""]);
    said.push(out);
  }
  assert.match(said[0] ?? "", /^The database has the schema of this release now\.$/);
  assert.match(said[1] ?? "", /^The database had the schema of this release already\.$/);
});

test("a database that cannot be reached is one line and exit code 1, without its password", async (t) => {
  const scope = scopeOf(t);
  const url = "postgres://owner:geheim@127.0.0.1:1/keyturn";
  const { status, out, err } = await runCommand(scope, ["migrate"], { DATABASE_URL: url });
  assert.deepEqual([status, out], [1, ""]);
  assert.match(err, /^keyturn: [^\n]*127\.0\.0\.1:1[^\n]*$/);
  assert.doesNotMatch(err, /geheim/);
});

test("a signal during the start is heeded: nothing is left running", async (t) => {
  const scope = scopeOf(t);
  const dataDir = await givenDataDir(scope);
  const server = startCommand(scope, ["serve"], developmentEnv(dataDir));
  let hasEnded = false;
  void server.ended.finally(() => {
    hasEnded = true;
  });
  await eventually(() => hasEnded || existsSync(join(dataDir, "root-key")), Boolean);
  server.kill("SIGTERM");
  assert.equal(await server.ended, 0);
  assert.equal(existsSync(join(dataDir, "postgres.owner.pid")), false);
});
