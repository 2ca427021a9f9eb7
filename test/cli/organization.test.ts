import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { givenDatabase, type TestDatabase } from "../support/database.ts";
import { type Chain, givenChain } from "../support/given-chain.ts";
import { runCommand, type Scope, scopeOf } from "./keyturn-command.ts";

let db: TestDatabase;
before(async () => {
  db = await givenDatabase();
});
after(() => db.drop());

/** `keyturn organization …` in a process of its own, by the login of the schema's owner. */
const organization = (scope: Scope, args: readonly string[], databaseUrl = db.ownerUrl) =>
  runCommand(scope, ["organization", ...args], { NODE_ENV: "production", DATABASE_URL: databaseUrl });

async function stateOf({ organizationId }: Pick<Chain, "organizationId">) {
  const [row] = await db.sql<{ status: string; accounts: number; credentials: number }[]>`
    select status,
           (select count(*)::int from keyturn.service_accounts where organization_id = o.id) as accounts,
           (select count(*)::int from keyturn.credentials where organization_id = o.id) as credentials
      from keyturn.organizations o where id = ${organizationId}`;
  return row && { ...row };
}

const recordedActions = async ({ organizationId }: Pick<Chain, "organizationId">) => {
  const rows = await db.sql<
    { action: string; outcome: string; actor_issuer: string; actor_subject: string }[]
  >`
    select action, outcome, actor_issuer, actor_subject from keyturn.audit_events
     where organization_id = ${organizationId} and action like 'organization.%' order by sequence`;
  return rows.map((row) => Object.values(row).join(" "));
};

test("an organization is suspended and resumed, nothing of it is lost, and its trail says so", async (t) => {
  const chain = await givenChain(db.sql, { rows: 2 });
  const suspended = await organization(scopeOf(t), ["suspend", chain.organizationId]);
  assert.deepEqual([suspended.status, suspended.err], [0, ""]);
  assert.deepEqual(await stateOf(chain), { status: "suspended", accounts: 1, credentials: 2 });
  const resumed = await organization(scopeOf(t), ["resume", chain.organizationId]);
  assert.deepEqual([resumed.status, resumed.err], [0, ""]);
  assert.deepEqual(await stateOf(chain), { status: "active", accounts: 1, credentials: 2 });
  assert.deepEqual(await recordedActions(chain), [
    "organization.suspend succeeded keyturn operator",
    "organization.resume succeeded keyturn operator",
  ]);
});

test("an organization is deleted with all that it has, for good, and its trail stays whole", async (t) => {
  const scope = scopeOf(t);
  const chain = await givenChain(db.sql, { rows: 2 });
  const { status, err } = await organization(scope, ["delete", chain.organizationId, "--yes"]);
  assert.deepEqual([status, err], [0, ""]);
  assert.deepEqual(await stateOf(chain), { status: "deleted", accounts: 0, credentials: 0 });
  assert.deepEqual(await recordedActions(chain), ["organization.delete succeeded keyturn operator"]);
  for (const verb of ["suspend", "resume", "delete"]) {
    const args = [verb, chain.organizationId, ...(verb === "delete" ? ["--yes"] : [])];
    assert.equal((await organization(scope, args)).status, 1);
  }
  assert.equal((await stateOf(chain))?.status, "deleted");
  const verified = await runCommand(scope, ["audit", "verify", "--org", chain.organizationId], {
    NODE_ENV: "production",
    DATABASE_URL: db.ownerUrl,
  });
  assert.deepEqual(verified, { status: 0, out: "Intact. Rows: 3, chains: 2.", err: "" });
});

test("a delete without --yes ends with 2 and deletes nothing", async (t) => {
  const chain = await givenChain(db.sql, { rows: 1 });
  const { status, out, err } = await organization(scopeOf(t), ["delete", chain.organizationId]);
  assert.deepEqual([status, out], [2, ""]);
  assert.match(err, /--yes/);
  assert.deepEqual(await stateOf(chain), { status: "active", accounts: 1, credentials: 1 });
});

for (const verb of ["suspend", "resume", "delete"]) {
  const args = verb === "delete" ? [verb, "nobody", "--yes"] : [verb, "nobody"];
  test(`an organization that is not there is not made by a ${verb}: it ends with 1`, async (t) => {
    const { status, out, err } = await organization(scopeOf(t), args);
    assert.deepEqual([status, out], [1, ""]);
    assert.match(err, /^[^\n]+$/);
    assert.equal(await stateOf({ organizationId: "nobody" }), undefined);
  });
}

test("the login of a server may not do it: it ends with 2 and nothing has changed", async (t) => {
  const chain = await givenChain(db.sql, { rows: 1 });
  for (const args of [
    ["suspend", chain.organizationId],
    ["delete", chain.organizationId, "--yes"],
  ]) {
    const { status, out, err } = await organization(scopeOf(t), args, db.serverUrl);
    assert.deepEqual([status, out], [2, ""]);
    assert.match(err, /^keyturn: [^\n]*login[^\n]*$/);
  }
  assert.deepEqual(await stateOf(chain), { status: "active", accounts: 1, credentials: 1 });
});

for (const args of [[], ["suspend"], ["rename", "acme"], ["suspend", "acme", "--yes"]]) {
  test(`keyturn organization ${args.join(" ")} is no command: it ends with 2`, async (t) => {
    assert.equal((await organization(scopeOf(t), args)).status, 2);
  });
}
