import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { startEmbeddedPostgres } from "../../src/dev/embedded-postgres.ts";
import { migrate } from "../../src/storage/migrate.ts";
import { scopeOf } from "../cli/keyturn-command.ts";
import { postgresUnderTest } from "../support/postgres-under-test.ts";
import { readDockerfile } from "./dockerfile.ts";
import { givenFolder } from "./edge-process.ts";
import { assertServes } from "./given-variables.ts";
import { skipWithout, toolNamed } from "./tool.ts";

const ENV = {
  POSTGRES_PASSWORD: "a",
  KEYTURN_OWNER_PASSWORD: "b",
  KEYTURN_SERVER_PASSWORD: "c",
  KEYTURN_OIDC_ISSUER: "https://login.example.com",
};

const skip = skipWithout("docker-compose");
const compose = toolNamed("docker-compose") ?? "";

function config(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(compose, [...args, "config", "--format", "json"], {
    encoding: "utf8",
    env: { ...process.env, ...ENV },
  });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout).services;
}

test("Compose takes compose.yaml, with its edge and without", { skip }, () => {
  assert.deepEqual(Object.keys(config()).sort(), ["keyturn", "migrate", "postgres"]);
  assert.deepEqual(Object.keys(config("--profile", "edge")).sort(), [
    "keyturn",
    "migrate",
    "nginx",
    "postgres",
  ]);
});

test("the containers of Keyturn write nothing and have no right of their own", { skip }, () => {
  const { keyturn, migrate } = config();
  for (const { read_only, cap_drop, security_opt } of [keyturn, migrate])
    assert.deepEqual([read_only, cap_drop, security_opt], [true, ["ALL"], ["no-new-privileges:true"]]);
});

test("a server starts on the variables of compose.yaml", { skip }, async (t) => {
  const { keyturn } = config();
  const { DATABASE_URL, KEYTURN_ROOT_KEY_FILE, ...environment } = keyturn.environment;
  const referred = Object.keys({ DATABASE_URL, KEYTURN_ROOT_KEY_FILE });
  await assertServes(scopeOf(t), { ...environment, ...readDockerfile().env }, referred, ["/readyz"]);
});

test("logins.sh makes an owner who can migrate and a login that a server takes", {
  skip: skipWithout("psql"),
}, async (t) => {
  const scope = scopeOf(t);
  const folder = givenFolder(scope);
  chmodSync(folder, 0o755);
  const postgres = await startEmbeddedPostgres({
    ...postgresUnderTest(folder),
    dataDir: join(folder, "postgres"),
  });
  scope.after(() => postgres.stop());
  // Of the characters that a quoting mistake would let through.
  const passwords = { owner: "owner's $word\\", server: "'; drop" };
  const { status, stderr } = spawnSync("sh", ["deploy/compose/logins.sh"], {
    encoding: "utf8",
    env: {
      PATH: process.env["PATH"],
      PGHOST: postgres.host,
      PGPORT: String(postgres.port),
      PGPASSWORD: postgres.superuser.password,
      KEYTURN_OWNER_PASSWORD: passwords.owner,
      KEYTURN_SERVER_PASSWORD: passwords.server,
    },
  });
  assert.equal(status, 0, stderr);
  const url = (user: string, password: string) => postgres.url({ user, password, database: "keyturn" });
  assert.deepEqual(await migrate(url("keyturn_owner", passwords.owner)), { kind: "migrated" });
  const db = { serverUrl: url("keyturn_server", passwords.server) };
  const env = {
    NODE_ENV: "production",
    KEYTURN_OIDC_AUDIENCE: "keyturn",
    KEYTURN_TOKEN_ISSUER: "https://keyturn.example.com",
  };
  await assertServes(scope, env, ["DATABASE_URL", "KEYTURN_ROOT_KEY_FILE"], ["/readyz"], db);
});
