import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { type GivenCli, givenCli } from "./given-cli.ts";
import { scopeOf } from "./keyturn-command.ts";

const SECRET = /^plt_cs_cred-[0-9a-hjkmnp-tv-z]{20}_[0-9A-Za-z]{60}$/;

const scope = scopeOf({ after });
let h: GivenCli;
before(async () => {
  h = await givenCli(scope);
});

/** An account of the organization's own, by the command line. */
async function givenAccount(): Promise<string> {
  const id = `sa-${randomUUID().slice(0, 8)}`;
  await h.answer(["service-account", "create", id, "--display-name", "Test"]);
  return id;
}

test("a service account is created, listed, changed, disabled, enabled and deleted", async () => {
  const id = `sa-${randomUUID().slice(0, 8)}`;
  const group = "service-account";
  const created = await h.answer([
    ...[group, "create", id, "--display-name", "One", "--roles", "a,b", "--roles", "c"],
    ...["--scope", "project", "--scope-id", "p1", "--description", "for tests"],
  ]);
  assert.deepEqual([created.id, created.roles, created.scope], [id, ["a", "b", "c"], "project"]);
  const listed = await h.answer([group, "list", "--scope", "project", "--scope-id", "p1"]);
  assert.deepEqual(listed, { serviceAccounts: [created] });
  const changed = await h.answer([
    ...[group, "update", id, "--display-name", "Two", "--roles", "", "--clear", "description"],
    ...["--etag", created.etag],
  ]);
  assert.deepEqual([changed.displayName, changed.roles, changed.description], ["Two", [], undefined]);
  assert.equal((await h.answer([group, "disable", id, "--validate-only"])).status, "disabled");
  assert.equal((await h.answer([group, "get", id])).status, "active");
  assert.equal((await h.answer([group, "disable", id])).status, "disabled");
  assert.equal((await h.answer([group, "enable", id])).status, "active");
  const stale = await h.run([group, "delete", id, "--yes", "--etag", created.etag]);
  assert.equal(stale.status, 1);
  assert.match(stale.err, /^keyturn: ETAG_MISMATCH: /);
  await h.answer([group, "delete", id, "--validate-only"]);
  await h.answer([group, "delete", id, "--yes"]);
  assert.equal((await h.run([group, "get", id])).status, 1);
});

test("a credential is created, verified, listed, rotated and deleted, and its refused use is seen", async () => {
  const account = await givenAccount();
  const [first, second] = ["first", "second"].map((name) => join(h.folder(), name)) as [string, string];
  const created = await h
    .answer([
      ...["credential", "create", account, "--secret-file", first, "--display-name", "rack 1"],
      ...[
        "--labels",
        "env=prod,team=a",
        "--allowed-cidrs",
        "192.0.2.0/24",
        "--expires-at",
        "2120-01-01T00:00:00Z",
      ],
    ])
    .catch((err: Error) => err);
  assert.match(String(created), /EXPIRY_ABOVE_MAXIMUM/);
  const { id } = await h.answer([
    ...["credential", "create", account, "--secret-file", first, "--display-name", "rack 1"],
    ...["--labels", "env=prod,team=a", "--allowed-cidrs", "192.0.2.0/24"],
  ]);
  const read = await h.answer(["credential", "get", account, id]);
  assert.deepEqual([read.labels, read.allowedCidrs], [{ env: "prod", team: "a" }, ["192.0.2.0/24"]]);
  const verify = ["credential", "verify", "--source-ip", "192.0.2.7"];
  const { principal } = await h.answer([...verify, "--secret-file", first]);
  assert.deepEqual([principal.credentialId, principal.serviceAccountId], [id, account]);
  const rotated = await h.answer([
    "credential",
    "rotate",
    account,
    id,
    "--grace-period",
    "1h",
    "--secret-file",
    second,
  ]);
  assert.equal(rotated.replacedCredential.id, id);
  const { credentials } = await h.answer(["credential", "list", account, "--status", "active"]);
  assert.deepEqual(
    credentials.map((one: { id: string }) => one.id),
    [id, rotated.id],
  );
  await h.answer(["credential", "delete", account, id]);
  const refused = await h.run([...verify, "--secret-file", first]);
  assert.deepEqual([refused.status, JSON.parse(refused.out)], [1, { refusal: "the secret does not hold" }]);
  await h.answer([...verify, "--secret-file", second]);
  const use = await eventually(async () => {
    const { refusedUses } = await h.answer(["credential", "refused-uses", account]);
    return refusedUses[0];
  });
  assert.deepEqual([use.credentialId, use.reason], [id, "deleted"]);
  await h.answer(["credential", "revoke-all", "--service-account-id", account, "--yes"]);
  assert.equal((await h.run([...verify, "--secret-file", second])).status, 1);
});

test("a secret that leaked is turned in without a token, and holds no longer", async () => {
  const account = await givenAccount();
  const { clientSecret } = await h.answer(["credential", "create", account, "--show-secret"]);
  const input = `${clientSecret}\n`;
  const report = { input, env: { KEYTURN_ACCESS_TOKEN: undefined } };
  assert.deepEqual(await h.answer(["credential", "report-leak"], report), { received: true });
  assert.equal((await h.run(["credential", "verify"], { input })).status, 1);
});

test("a policy is read and set, and what is cleared takes the server's own value again", async () => {
  const set = await h.answer(["policy", "set", "--max-lifetime", "180d", "--default-lifetime", "48h"]);
  assert.deepEqual([set.maxLifetime, set.defaultLifetime], ["15552000s", "172800s"]);
  await h.answer(["policy", "set", "--clear", "max-lifetime,default-lifetime", "--creation", "allowed"]);
  const { maxLifetime, defaultLifetime } = await h.answer(["policy", "get"]);
  assert.deepEqual([maxLifetime, defaultLifetime], ["31536000s", "7776000s"]);
});

test("the audit trail is listed, the latest first when that is asked for", async () => {
  const account = await givenAccount();
  const list = ["audit", "list", "--service-account-id", account, "--order-by", "occurred_at desc"];
  await h.answer(["service-account", "disable", account]);
  const { auditEvents } = await h.answer([...list, "--since", "2020-01-01T00:00:00Z"]);
  const actions = auditEvents.map(({ action }: { action: string }) => action);
  assert.deepEqual(actions, ["service_account.update", "service_account.create"]);
});

test("a create that does not say where its secret goes is refused before it is called", async () => {
  const account = await givenAccount();
  const { status, out, err } = await h.run(["credential", "create", account]);
  assert.deepEqual([status, out], [2, ""]);
  assert.match(err, /--secret-file FILE, or --show-secret/);
  assert.deepEqual(await h.answer(["credential", "list", account]), { credentials: [] });
});

test("a secret goes into a new file that only its owner may read, and nowhere else", async () => {
  const account = await givenAccount();
  const file = join(h.folder(), "secret");
  const mask = process.umask(0);
  const { status, out, err } = await h
    .run(["credential", "create", account, "--secret-file", file])
    .finally(() => process.umask(mask));
  assert.equal(status, 0);
  const secret = readFileSync(file, "utf8").trimEnd();
  assert.match(secret, SECRET);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(`${out}${err}`.includes("plt_cs"), false);
});

test("a file that is there already is not overwritten, and nothing is called", async () => {
  const account = await givenAccount();
  const file = join(h.folder(), "secret");
  writeFileSync(file, "in use");
  const { status, err } = await h.run(["credential", "create", account, "--secret-file", file]);
  assert.equal(status, 2);
  assert.match(err, /not overwritten/);
  assert.equal(readFileSync(file, "utf8"), "in use");
  assert.deepEqual(await h.answer(["credential", "list", account]), { credentials: [] });
});

test("a create that is refused leaves no file behind", async () => {
  const file = join(h.folder(), "secret");
  const { status } = await h.run(["credential", "create", "sa-unknown", "--secret-file", file]);
  assert.equal(status, 1);
  assert.equal(existsSync(file), false);
});

test("a secret is printed when that is asked for, in every format", async () => {
  const account = await givenAccount();
  for (const format of ["json", "yaml", "table"]) {
    const args = ["credential", "create", account, "--show-secret", "--output", format];
    const { status, out } = await h.run(args);
    assert.equal(status, 0);
    assert.match(out, /clientSecret\W+plt_cs_cred-/);
  }
});

test("a dry run needs no place for a secret, and writes nothing", async () => {
  const account = await givenAccount();
  await h.answer(["credential", "create", account, "--validate-only"]);
  assert.deepEqual(await h.answer(["credential", "list", account]), { credentials: [] });
});

test("the same request id gets the same secret, until it has been used: then none, exit code 1 and no file", async () => {
  const account = await givenAccount();
  const create = ["credential", "create", account, "--request-id", randomUUID()];
  const first = await h.answer([...create, "--show-secret"]);
  assert.deepEqual(await h.answer([...create, "--show-secret"]), first);
  await h.answer(["credential", "verify"], { input: first.clientSecret });
  const file = join(h.folder(), "secret");
  const again = await eventually(async () => {
    const ran = await h.run([...create, "--secret-file", file]);
    return existsSync(file) ? rmAndWait(file) : ran;
  });
  assert.equal(again.status, 1);
  assert.equal(JSON.parse(again.out).id, first.id);
  assert.match(again.err, /cannot be had again/);
});

/** The use is written a moment after it. */
async function rmAndWait(file: string): Promise<undefined> {
  const { rmSync } = await import("node:fs");
  rmSync(file);
}
