import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { migrate } from "../../src/storage/migrate.ts";
import { auditFaults } from "../support/audit.ts";
import { type AuditRow, chainFaults } from "../support/audit-chain.ts";
import { givenAccount, givenDatabase, type TestDatabase } from "../support/database.ts";
import { type Account, callCreate, callerOf, outcomeOf } from "./create-call.ts";
import { createByFirstRelease, installFirstRelease } from "./first-release.ts";

/** A database that the first release has written into, which is gone when the test is over. */
async function givenFirstRelease(t: TestContext): Promise<TestDatabase> {
  const db = await givenDatabase("empty");
  t.after(() => db.drop());
  await installFirstRelease(db);
  return db;
}

async function givenCredentials(db: TestDatabase, count: number, organizationId?: string) {
  const account = await givenAccount(db.sql, organizationId);
  const ids: string[] = [];
  for (const _ of Array(count)) ids.push(await createByFirstRelease(db.sql, account));
  return { account, ids };
}

const rowsOf = (db: TestDatabase) => db.sql<AuditRow[]>`
  select organization_id, service_account_uid, sequence, occurred_at, action, outcome, service_account_id, credential_id,
         actor_issuer, actor_subject, client_address, request_id, previous_hash, hash
    from keyturn.audit_events order by organization_id, service_account_uid, sequence`;

test("chains of the first release verify after the migration, row for row as they were", async (t) => {
  const db = await givenFirstRelease(t);
  const { account } = await givenCredentials(db, 3);
  await createByFirstRelease(db.sql, account, null);
  const { organizationId: other } = (await givenCredentials(db, 1)).account;
  const before = await rowsOf(db);
  assert.equal(before.length, 5);
  assert.deepEqual(await migrate(db.ownerUrl), { kind: "migrated" });
  assert.deepEqual([...(await rowsOf(db))], [...before]);
  assert.deepEqual(await auditFaults(db.sql, account.organizationId), []);
  assert.deepEqual(await auditFaults(db.sql, other), []);
});

test("chains of the first release go on after the migration where they stood", async (t) => {
  const db = await givenFirstRelease(t);
  const { account } = await givenCredentials(db, 2);
  const { account: unused } = await givenCredentials(db, 0, account.organizationId);
  const [, last] = await rowsOf(db);
  await migrate(db.ownerUrl);
  assert.equal((await callCreate(db.sql, account)).outcome, "done");
  assert.equal((await callCreate(db.sql, account, { activeMax: 1 })).outcome, "credential_limit_reached");
  assert.equal((await callCreate(db.sql, unused)).outcome, "done");
  const rows = await rowsOf(db);
  const next = rows.find((row) => row.service_account_id === account.id && row.sequence === "3");
  assert.deepEqual(next?.previous_hash, last?.hash);
  const sequences = Map.groupBy(rows, (row) => row.service_account_id);
  assert.deepEqual(
    sequences.get(account.id)?.map((row) => row.sequence),
    ["1", "2", "3", "4"],
  );
  assert.deepEqual(
    sequences.get(unused.id)?.map((row) => row.sequence),
    ["1"],
  );
  assert.deepEqual(await auditFaults(db.sql, account.organizationId), []);
});

test("a chain that was cut before the migration shows it afterwards", async (t) => {
  const db = await givenFirstRelease(t);
  const { account } = await givenCredentials(db, 3);
  await db.sql`delete from keyturn.audit_events where sequence = 3`;
  await migrate(db.ownerUrl);
  assert.notDeepEqual(await chainFaults(db.sql, account.organizationId), []);
});

test("the chain of an account that was deleted before the migration verifies afterwards", async (t) => {
  const db = await givenFirstRelease(t);
  const { account } = await givenCredentials(db, 2);
  await db.sql`delete from keyturn.service_accounts where id = ${account.id}`;
  await migrate(db.ownerUrl);
  assert.equal((await rowsOf(db)).length, 2);
  assert.deepEqual(await auditFaults(db.sql, account.organizationId), []);
});

async function idsOf(db: TestDatabase, { organizationId, id }: Account): Promise<string[]> {
  const rows = await db.sql<{ id: string; status: string }[]>`
    select id, status from keyturn.credential_states(${organizationId}, ${id}, clock_timestamp()) order by created_at, id`;
  assert.ok(rows.every(({ status }) => status === "active"));
  return rows.map((row) => row.id);
}

test("credentials of the first release are active after the migration, count, and can be deleted", async (t) => {
  const db = await givenFirstRelease(t);
  const { account, ids } = await givenCredentials(db, 5);
  await migrate(db.ownerUrl);
  assert.deepEqual((await idsOf(db, account)).sort(), ids.toSorted());
  assert.equal((await callCreate(db.sql, account)).outcome, "credential_limit_reached");
  const doomed = ids[0] ?? "";
  const { outcome } = await outcomeOf(
    db.sql,
    db.sql`keyturn.delete_credential(${callerOf(db.sql, account)}, ${account.id}, ${doomed}, null)`,
  );
  assert.equal(outcome, "done");
  assert.deepEqual((await idsOf(db, account)).sort(), ids.slice(1).toSorted());
  assert.equal((await callCreate(db.sql, account)).outcome, "done");
  assert.deepEqual(await auditFaults(db.sql, account.organizationId), []);
});
