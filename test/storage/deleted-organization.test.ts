import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import postgres from "postgres";
import type { Fragment } from "../../src/storage/mutation.ts";
import { auditFaults } from "../support/audit.ts";
import { givenAccount, givenDatabase, type TestDatabase } from "../support/database.ts";
import { type Account, boundsOf, type CallerCall, callCreate, callerOf, outcomeOf } from "./create-call.ts";
import { givenCredential, trailOf } from "./stored-credential.ts";

let db: TestDatabase;
/** The login of a server. */
let server: postgres.Sql;
before(async () => {
  db = await givenDatabase();
  server = postgres(db.serverUrl, { max: 1, onnotice: () => {} });
});
after(async () => {
  await server.end();
  await db.drop();
});

async function givenDeletedOrganization(): Promise<Account> {
  const account = await givenAccount(db.sql);
  await givenCredential(db.sql, account);
  await db.sql`select keyturn.set_organization_status(${account.organizationId}, 'deleted')`;
  return account;
}

/** The row of an organization and how many accounts it has. */
async function stateOf({ organizationId }: Pick<Account, "organizationId">): Promise<unknown> {
  return db.sql`
    select o.*, (select count(*) from keyturn.service_accounts a where a.organization_id = o.id) as accounts
      from keyturn.organizations o where o.id = ${organizationId}`;
}

type Call = (account: Pick<Account, "organizationId">, call?: Partial<CallerCall>) => Fragment;

/** What begins with the organization's lock. */
const calls: Record<string, Call> = {
  "service_account.create": (account, call) =>
    server`keyturn.create_service_account(
      ${callerOf(server, account, call)}, 'sa-new', 'New', null, 'organization', 'here', '{}')`,
  "credential_policy.update": (account, call) =>
    server`keyturn.update_credential_policy(
      ${callerOf(server, account, call)}, ${boundsOf(server)}, null, ${server.json({ min_lifetime_seconds: 3600 })})`,
  "credential.revoke_all": (account, call) =>
    server`keyturn.revoke_organization_credentials(${callerOf(server, account, call)}, '{}')`,
};
for (const [action, call] of Object.entries(calls)) {
  test(`${action} finds no organization that was deleted, changes nothing of it, and stands in its trail`, async () => {
    const account = await givenDeletedOrganization();
    const [before, trail] = [await stateOf(account), await trailOf(db.sql, account)];
    const { outcome, facts } = await outcomeOf(server, call(account));
    assert.deepEqual([outcome, facts], ["not_found", { organization_id: account.organizationId }]);
    assert.deepEqual(await stateOf(account), before);
    assert.deepEqual((await trailOf(db.sql, account)).slice(trail.length), [`${action} not_found`]);
    assert.deepEqual(await auditFaults(db.sql, account.organizationId), []);
  });

  test(`${action} says so in a dry run too, and that is not recorded`, async () => {
    const account = await givenDeletedOrganization();
    const trail = await trailOf(db.sql, account);
    assert.equal((await outcomeOf(server, call(account, { validateOnly: true }))).outcome, "not_found");
    assert.deepEqual(await trailOf(db.sql, account), trail);
  });

  test(`${action} of a caller whose time is over writes nothing`, async () => {
    const account = await givenAccount(db.sql);
    const before = await stateOf(account);
    const { outcome } = await outcomeOf(server, call(account, { budgetMs: 0 }));
    assert.equal(outcome, "deadline_exceeded");
    assert.deepEqual(await stateOf(account), before);
    assert.deepEqual(await trailOf(db.sql, account), []);
  });

  test(`${action} brings an organization that nobody has heard of into being, and a dry run does not`, async () => {
    const organization = { organizationId: `org-of-${action.replaceAll(/[._]/g, "-")}` };
    assert.equal((await outcomeOf(server, call(organization, { validateOnly: true }))).outcome, "done");
    assert.deepEqual([...((await stateOf(organization)) as unknown[])], []);
    assert.equal((await outcomeOf(server, call(organization))).outcome, "done");
    assert.equal(((await stateOf(organization)) as unknown[]).length, 1);
    assert.deepEqual(await trailOf(db.sql, organization), [`${action} succeeded`]);
  });
}

test("a create in an organization that was deleted finds no account", async () => {
  const account = await givenDeletedOrganization();
  assert.equal((await callCreate(server, account)).outcome, "not_found");
});

test("an organization that was deleted stays so, with no account left", async () => {
  const { organizationId } = await givenDeletedOrganization();
  for (const status of ["active", "suspended", "deleted"]) {
    const [row] =
      await db.sql`select keyturn.set_organization_status(${organizationId}, ${status}) as changed`;
    assert.equal(row?.["changed"], false);
  }
  const [row] = (await stateOf({ organizationId })) as { status: string; accounts: string }[];
  assert.deepEqual([row?.status, row?.accounts], ["deleted", "0"]);
});
