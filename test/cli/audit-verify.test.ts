import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import postgres from "postgres";
import { callCreate } from "../storage/create-call.ts";
import { givenAccount, givenDatabase, type TestDatabase } from "../support/database.ts";
import { type Chain, givenChain, lengthen, TAMPERINGS, tamper } from "../support/given-chain.ts";
import { givenDataDir } from "./data-folder.ts";
import {
  create,
  developmentEnv,
  runCommand,
  type Scope,
  scopeOf,
  startDevelopment,
} from "./keyturn-command.ts";

let db: TestDatabase;
before(async () => {
  db = await givenDatabase();
});
after(() => db.drop());

/** `keyturn audit verify` in a process of its own, as an operator runs it, by the login of a server. */
const verify = (scope: Scope, args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  runCommand(scope, ["audit", "verify", ...args], {
    NODE_ENV: "production",
    DATABASE_URL: db.serverUrl,
    ...env,
  });

const ofChain = ({ organizationId, id }: Chain) => ["--org", organizationId, "--service-account", id];

const LINE = /^organization (\S+), (?:service account (\S+)|its own chain), row (\d+): (.+)$/;

function findingsIn(out: string) {
  return out.split("\n").flatMap((line) => {
    const [, organizationId, uid, row, words] = LINE.exec(line) ?? [];
    return organizationId === undefined ? [] : [{ organizationId, uid, row: Number(row), words }];
  });
}

/** By what a reader knows each kind. */
const WORDS: Readonly<Record<string, RegExp>> = {
  row_changed: /^changed/,
  row_out_of_order: /^was not written after/,
  rows_missing: /^missing before it: rows? \d/,
  row_before_first: /^stands before the first/,
  head_missing: /has no head$/,
  head_ahead: /^missing behind it: rows? \d/,
  head_behind: /^put in behind the head/,
  head_changed: /head .* another hash/,
  chain_emptied: /^missing, with all before it/,
  chain_missing: /credentials, but no chain$/,
};

for (const { name, statements, found } of TAMPERINGS) {
  test(`${name} ends with 1, and a line that names organization, account, row and what is wrong`, async (t) => {
    const chain = await givenChain(db.sql);
    await tamper(db.sql, chain, statements);
    const { status, out, err } = await verify(scopeOf(t), ["--org", chain.organizationId]);
    assert.deepEqual([status, err], [1, ""]);
    const findings = findingsIn(out);
    for (const finding of findings)
      assert.deepEqual([finding.organizationId, finding.uid], [chain.organizationId, chain.uid]);
    assert.deepEqual(
      findings.map(({ row, words = "" }) => [
        row,
        Object.keys(WORDS).find((kind) => WORDS[kind]?.test(words)),
      ]),
      found,
    );
    assert.match(out, new RegExp(`^NOT INTACT. Faults: ${found.length}, `, "m"));
  });
}

test("a trail that nobody has touched ends with 0, in one line that counts it", async (t) => {
  const chain = await givenChain(db.sql, { rows: 7 });
  await givenChain(db.sql, chain);
  const whole = await verify(scopeOf(t), ["--org", chain.organizationId]);
  assert.deepEqual(whole, { status: 0, out: "Intact. Rows: 11, chains: 2.", err: "" });
  for (const serviceAccount of [chain.id, chain.uid]) {
    const args = ["--org", chain.organizationId, "--service-account", serviceAccount];
    assert.deepEqual(await verify(scopeOf(t), args), {
      status: 0,
      out: "Intact. Rows: 7, chains: 1.",
      err: "",
    });
  }
});

test("the chain of an organization is verified like that of an account", async (t) => {
  const { organizationId } = await givenAccount(db.sql);
  for (const id of ["sa-none", "sa-neither"]) await callCreate(db.sql, { organizationId, id });
  await db.sql`update keyturn.audit_events set service_account_id = 'sa-x'
                where organization_id = ${organizationId} and sequence = 2`;
  const { status, out } = await verify(scopeOf(t), ["--org", organizationId]);
  assert.equal(status, 1);
  assert.deepEqual(
    findingsIn(out).map(({ uid, row }) => [uid, row]),
    [[undefined, 2]],
  );
});

test("one account's fault is not another's, and without options every organization is looked at", async (t) => {
  const [broken, whole] = [await givenChain(db.sql), await givenChain(db.sql)];
  await tamper(db.sql, broken, [
    "delete from keyturn.audit_events where service_account_uid = $1 and sequence = 2",
  ]);
  assert.equal((await verify(scopeOf(t), ofChain(broken))).status, 1);
  assert.equal((await verify(scopeOf(t), ofChain(whole))).status, 0);
  const all = await verify(scopeOf(t), []);
  assert.equal(all.status, 1);
  assert.ok(findingsIn(all.out).some(({ uid }) => uid === broken.uid));
});

test("of more than a hundred faults a hundred are named, and all are counted", async (t) => {
  const chain = await givenChain(db.sql, { rows: 120 });
  await tamper(db.sql, chain, [
    "update keyturn.audit_events set outcome = 'x' where service_account_uid = $1",
  ]);
  const { status, out } = await verify(scopeOf(t), ofChain(chain));
  assert.equal(status, 1);
  assert.equal(findingsIn(out).length, 100);
  assert.match(out, /^NOT INTACT\. Faults: 120, rows: 120, chains: 1\.$/m);
});

test("an organization whose name would write into the terminal is quoted", async (t) => {
  const chain = await givenChain(db.sql, { organizationId: "org\u001b[2J\n1", rows: 2 });
  await tamper(db.sql, chain, [
    "update keyturn.audit_events set outcome = 'x' where service_account_uid = $1",
  ]);
  const { out } = await verify(scopeOf(t), ["--org", chain.organizationId]);
  assert.equal(out.includes("\u001b"), false);
  assert.equal(out.split("\n").length, 3);
});

test("what is written while it reads is no fault: four runs beside four busy writers end with 0", async (t) => {
  const scope = scopeOf(t);
  const own = await givenDatabase();
  scope.after(() => own.drop());
  const chains = await Promise.all(Array.from({ length: 4 }, () => givenChain(own.sql, { rows: 600 })));
  let busy = true;
  const writers = chains.map(async (chain) => {
    const sql = postgres(own.serverUrl, { max: 1 });
    for (; busy; ) await lengthen(sql, chain, 10);
    await sql.end();
  });
  try {
    const counts: number[] = [];
    for (let run = 0; run < 4; run += 1) {
      const { status, out, err } = await verify(scope, [], { DATABASE_URL: own.serverUrl });
      assert.deepEqual([status, err], [0, ""], out);
      counts.push(Number(/Rows: (\d+)/.exec(out)?.[1]));
    }
    assert.ok(new Set(counts).size > 1, `nobody wrote meanwhile: ${counts}`);
  } finally {
    busy = false;
    await Promise.all(writers);
  }
});

const COULD_NOT: readonly (readonly [name: string, args: string[], env: Record<string, string>])[] = [
  ["an option that it does not know", ["--all"], {}],
  ["an argument too many", ["acme"], {}],
  ["an account without its organization", ["--service-account", "sa-one"], {}],
  ["an organization that the trail does not know", ["--org", "nobody"], {}],
  ["an account that the trail does not know", ["--org", "nobody", "--service-account", "sa-one"], {}],
  ["no database in production", [], { DATABASE_URL: "" }],
  ["a database URL that is none", [], { DATABASE_URL: "mysql://localhost/keyturn" }],
  ["a database that is not there", [], { DATABASE_URL: "postgres://keyturn:geheim@127.0.0.1:1/keyturn" }],
];

for (const [name, args, env] of COULD_NOT) {
  test(`${name} ends with 2 and says why in one line`, async (t) => {
    const { status, out, err } = await verify(scopeOf(t), args, env);
    assert.deepEqual([status, out], [2, ""]);
    assert.match(err, /^[^\n]+$/);
    assert.equal(err.includes("geheim"), false);
  });
}

test("a database without the schema ends with 2", async (t) => {
  const empty = await givenDatabase("empty");
  scopeOf(t).after(() => empty.drop());
  const { status, out, err } = await verify(scopeOf(t), [], { DATABASE_URL: empty.serverUrl });
  assert.deepEqual([status, out], [2, ""]);
  assert.match(err, /migrate/);
});

test("in development it looks into the embedded database of the server that runs", async (t) => {
  const scope = scopeOf(t);
  const dataDir = await givenDataDir(scope);
  const before = await runCommand(scope, ["audit", "verify"], developmentEnv(dataDir));
  assert.deepEqual([before.status, before.out], [2, ""]);
  assert.match(before.err, /DATABASE_URL/);
  const server = await startDevelopment(scope, dataDir);
  const args = ["token", "--org", "acme", "--sub", "user-1", "--roles", "admin"];
  const { out: token } = await runCommand(scope, args, developmentEnv(dataDir));
  assert.equal((await create(server.addresses.http, "sa-pipeline-prod", token)).status, 201);
  const verified = await runCommand(scope, ["audit", "verify", "--org", "acme"], developmentEnv(dataDir));
  assert.deepEqual(verified, { status: 0, out: "Intact. Rows: 1, chains: 1.", err: "" });
  assert.equal((await create(server.addresses.http, "sa-pipeline-prod", token)).status, 201);
  server.kill("SIGTERM");
  assert.equal(await server.ended, 0);
});
