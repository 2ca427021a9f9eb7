import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { parse } from "yaml";
import { type GivenCli, givenCli } from "./given-cli.ts";
import { scopeOf } from "./keyturn-command.ts";
import { runProgram } from "./program-runner.ts";

const ACCOUNTS = 1_203;
const LIST = ["service-account", "list"];

const scope = scopeOf({ after });
let h: GivenCli;
before(async () => {
  h = await givenCli(scope);
  await h.keyturn.db.sql`
    insert into keyturn.service_accounts (organization_id, id, display_name, scope_id, created_by)
    select ${h.organizationId}, 'sa-' || n, 'Account ' || n, ${h.organizationId}, 'test'
      from generate_series(2, ${ACCOUNTS}) as n`;
});

test("a list is all of it, over however many pages, in every format", async () => {
  const json = await h.answer(LIST);
  const ids = json.serviceAccounts.map(({ id }: { id: string }) => id);
  assert.deepEqual([ids.length, new Set(ids).size], [ACCOUNTS, ACCOUNTS]);
  const yaml = await h.run([...LIST, "--output", "yaml"]);
  assert.deepEqual(parse(yaml.out), json);
  const table = await h.run(LIST, { isTerminal: true });
  const lines = table.out.trimEnd().split("\n");
  assert.match(lines[0] ?? "", /^ID +DISPLAY NAME +STATUS /);
  assert.deepEqual(
    lines.slice(1).map((line) => line.split(" ")[0]),
    ids,
  );
});

test("a list stops after as many as were asked for", async () => {
  for (const limit of [1, 500, 501])
    assert.equal((await h.answer([...LIST, "--limit", String(limit)])).serviceAccounts.length, limit);
});

test("an empty list is a list in every format", async () => {
  const list = [...LIST, "--status", "disabled"];
  assert.deepEqual(await h.answer(list), { serviceAccounts: [] });
  assert.deepEqual(parse((await h.run([...list, "--output", "yaml"])).out), { serviceAccounts: [] });
  assert.match((await h.run([...list, "--output", "table"])).out, /^ID [^\n]+\n$/);
});

test("progress of a long list is shown on standard error of a terminal, wiped away again, and nowhere else", async () => {
  const watched = await h.run(LIST, { isErrTerminal: true });
  const said = watched.err.split("\r\x1b[K");
  assert.deepEqual(
    said.filter((words) => words.endsWith("so far…")),
    ["500 so far…", "1000 so far…"],
  );
  assert.equal(said.at(-1), "");
  assert.equal((await h.run(LIST)).err, "");
});

test("a refusal is its reason, a sentence, its metadata and the id of the call in the service's log; exit code 1", async () => {
  const { status, out, err } = await h.run([
    "credential",
    "create",
    "sa-2",
    "--expires-at",
    "2020-01-01T00:00:00Z",
    "--show-secret",
  ]);
  assert.deepEqual([status, out], [1, ""]);
  const lines = err.trimEnd().split("\n");
  assert.match(lines[0] ?? "", /^keyturn: EXPIRY_IN_PAST: /);
  assert.ok(
    lines.some((line) => line.startsWith("  expires_at: ")),
    err,
  );
  const id = /^ {2}x-request-id: (\S+)$/m.exec(err)?.[1];
  assert.ok(id !== undefined && h.keyturn.log().includes(id));
});

test("with --output json a failure is JSON", async () => {
  const { status, err } = await h.run(["credential", "get", "sa-2", "cred-none", "--output", "json"]);
  assert.equal(status, 1);
  const { error } = JSON.parse(err);
  assert.deepEqual([error.code, error.reason, typeof error.requestId], ["NOT_FOUND", "NOT_FOUND", "string"]);
});

test("a service out of reach is no refusal: exit code 2, and a create says how to ask for the same answer again", async () => {
  const env = { KEYTURN_ADDRESS: "127.0.0.1:1", KEYTURN_ACCESS_TOKEN: "t" };
  const { status, out, err } = await runProgram(
    ["credential", "create", "sa-2", "--show-secret", "--timeout", "1s"],
    { env },
  );
  assert.deepEqual([status, out], [2, ""]);
  assert.match(
    err,
    /^keyturn: to ask for the same answer again, add --request-id [0-9a-f-]{36}\nkeyturn: (UNAVAILABLE|DEADLINE_EXCEEDED): /,
  );
});

test("whoever may not verify learns nothing about the secret: 2, while 1 is for a secret that does not hold", async () => {
  const token = await h.keyturn.token(h.organizationId, { roles: ["admin"] });
  const ask = (env = {}) => h.run(["credential", "verify"], { input: "no secret\n", env });
  assert.equal((await ask()).status, 1);
  const { status, err } = await ask({ KEYTURN_ACCESS_TOKEN: token });
  assert.equal(status, 2);
  assert.match(err, /^keyturn: PERMISSION_DENIED: /);
});

test("a bad token is refused: 1", async () => {
  const { status, err } = await h.run(["policy", "get"], { env: { KEYTURN_ACCESS_TOKEN: "nonsense" } });
  assert.equal(status, 1);
  assert.match(err, /^keyturn: UNAUTHENTICATED: /);
});
