import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import postgres from "postgres";
import { deriveKeys, parseRootKeys } from "../../src/auth/root-keys.ts";
import { openSigningKey } from "../../src/auth/signing-key.ts";
import { runningDevelopmentDatabase } from "../../src/dev/development-database.ts";
import { givenDatabase, type TestDatabase } from "../support/database.ts";
import { ROOT_KEY } from "../support/keyturn.ts";
import { only } from "../support/signing-keys.ts";
import { givenDataDir } from "./data-folder.ts";
import { developmentEnv, runCommand, type Scope, scopeOf, startDevelopment } from "./keyturn-command.ts";

const ADDED = /^Key (\S{43}) signs from (\S+) on\.$/;
const WAITING = /^Key (\S{43}) is published already and signs from (\S+) on\. Nothing was added\.$/;

async function givenProduction(scope: Scope) {
  const db = await givenDatabase();
  scope.after(() => db.drop());
  const env = { NODE_ENV: "production", DATABASE_URL: db.serverUrl, KEYTURN_ROOT_KEY: ROOT_KEY };
  const rotate = (args: readonly string[] = [], more: Readonly<Record<string, string>> = {}) =>
    runCommand(scope, ["keys", "rotate", ...args], { ...env, ...more });
  return { db, env, rotate };
}

interface Stored {
  readonly kid: string;
  readonly sealedPrivateKey: Buffer;
  readonly signsFrom: Date;
  readonly aheadSeconds: number;
}

const stored = ({ sql }: Pick<TestDatabase, "sql">) => sql<Stored[]>`
  select kid, sealed_private_key as "sealedPrivateKey", signs_from as "signsFrom",
         round(extract(epoch from signs_from - created_at))::integer as "aheadSeconds"
    from keyturn.signing_keys order by created_at`;

function opensWith(rootKey: string, key: Stored): boolean {
  const parsed = parseRootKeys(rootKey.trim());
  assert.ok("keys" in parsed);
  return typeof openSigningKey(key, deriveKeys(parsed.keys).signingKey) === "object";
}

test("a rotation adds a key that is published ten minutes before it signs, and names both", async (t) => {
  const { db, rotate } = await givenProduction(scopeOf(t));
  const first = await rotate();
  assert.deepEqual([first.status, first.err], [0, ""]);
  assert.equal(only(await stored(db)).aheadSeconds, 0, "the very first key has nobody to succeed");

  await db.sql`update keyturn.signing_keys set signs_from = signs_from - interval '1 second'`;
  const second = await rotate();
  const [, key] = await stored(db);
  assert.ok(key);
  assert.deepEqual(ADDED.exec(second.out)?.slice(1), [key.kid, key.signsFrom.toISOString()]);
  assert.equal(key.aheadSeconds, 600);
  assert.ok(opensWith(ROOT_KEY, key));
});

test("while the next key waits for its time, a rotation adds none and says which it is; --now adds one that signs", async (t) => {
  const { db, rotate } = await givenProduction(scopeOf(t));
  await rotate();
  await db.sql`update keyturn.signing_keys set signs_from = signs_from - interval '1 second'`;
  await rotate();
  const [, next] = await stored(db);
  const again = await rotate();
  assert.equal(again.status, 0);
  assert.deepEqual(WAITING.exec(again.out)?.slice(1), [next?.kid, next?.signsFrom.toISOString()]);

  const urgent = await rotate(["--now"]);
  assert.equal(urgent.status, 0);
  const [, , key] = await stored(db);
  assert.deepEqual([key?.kid, key?.aheadSeconds], [ADDED.exec(urgent.out)?.[1], 0]);
});

test("the owner's login will do as well, and the current one of several root keys seals", async (t) => {
  const { db, rotate } = await givenProduction(scopeOf(t));
  const current = Buffer.alloc(32, 3).toString("base64");
  const { status } = await rotate([], {
    DATABASE_URL: db.ownerUrl,
    KEYTURN_ROOT_KEY: `${current},${ROOT_KEY}`,
  });
  assert.equal(status, 0);
  const key = only(await stored(db));
  assert.deepEqual([opensWith(current, key), opensWith(ROOT_KEY, key)], [true, false]);
});

test("what is missing or wrong is one line that shows no secret, and the exit code is 2", async (t) => {
  const scope = scopeOf(t);
  const { db, env, rotate } = await givenProduction(scope);
  const empty = await givenDatabase("empty");
  scope.after(() => empty.drop());
  const attempts = {
    "DATABASE_URL must name": await rotate([], { DATABASE_URL: "" }),
    "KEYTURN_ROOT_KEY or KEYTURN_ROOT_KEY_FILE is required": await rotate([], { KEYTURN_ROOT_KEY: "" }),
    "KEYTURN_ROOT_KEY cannot be used": await rotate([], { KEYTURN_ROOT_KEY: "Z2VoZWlt" }),
    "KEYTURN_ROOT_KEY_FILE cannot be read": await rotate([], {
      KEYTURN_ROOT_KEY: "",
      KEYTURN_ROOT_KEY_FILE: "/nowhere",
    }),
    "the database cannot be used now": await rotate([], { DATABASE_URL: "postgres://u@127.0.0.1:1/d" }),
    "the database does not have the schema of this release": await rotate([], {
      DATABASE_URL: empty.ownerUrl,
    }),
    "error: unknown option": await rotate(["--soon"]),
  };
  for (const [words, { status, out, err }] of Object.entries(attempts)) {
    assert.deepEqual([status, out], [2, ""], words);
    assert.ok(err.includes(words), `${words}: ${err}`);
    assert.equal(/Z2VoZWlt/.test(err) || err.includes(env.KEYTURN_ROOT_KEY), false);
  }
  assert.equal((await stored(db)).length, 0);
});

test("in development it works beside the server, under the root key of the data folder", async (t) => {
  const scope = scopeOf(t);
  const dataDir = await givenDataDir(scope);
  const server = await startDevelopment(scope, dataDir);
  const { status, out, err } = await runCommand(scope, ["keys", "rotate", "--now"], developmentEnv(dataDir));
  assert.deepEqual([status, err], [0, ""]);
  const sql = postgres((await runningDevelopmentDatabase(dataDir)) ?? "", { max: 1 });
  scope.after(() => sql.end());
  const key = (await stored({ sql })).at(-1);
  assert.ok(key);
  assert.equal(key.kid, ADDED.exec(out)?.[1]);
  assert.ok(opensWith(readFileSync(join(dataDir, "root-key"), "utf8"), key));
  server.kill("SIGTERM");
  assert.equal(await server.ended, 0);
});
