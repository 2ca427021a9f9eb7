import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { givenAccount, givenDatabase, type TestDatabase } from "../support/database.ts";
import { type Account, callCreate, callerOf, outcomeOf } from "./create-call.ts";
import { givenCredential } from "./stored-credential.ts";

let db: TestDatabase;
before(async () => {
  db = await givenDatabase();
});
after(() => db.drop());

const HOUR_SECONDS = 3600;

async function now(): Promise<number> {
  const [row] = await db.sql<{ now: Date }[]>`select clock_timestamp() as now`;
  return Number(row?.now);
}

/** A credential that was created by a clock which was an hour ahead, and has a day to live. */
const givenFutureCredential = (account: Account, times: { deletedSecondsAgo?: number } = {}) =>
  givenCredential(db.sql, account, {
    ageSeconds: -HOUR_SECONDS,
    remainingSeconds: 24 * HOUR_SECONDS,
    ...times,
  });

async function createdAtOf(account: Account, id: string): Promise<number> {
  const [row] = await db.sql<{ created_at: Date }[]>`
    select created_at from keyturn.credentials where organization_id = ${account.organizationId} and id = ${id}`;
  return Number(row?.created_at);
}

test("a credential is created now, when nothing lies behind that", async () => {
  const account = await givenAccount(db.sql);
  const before = await now();
  const { created_at } = await callCreate(db.sql, account);
  assert.ok(Number(created_at) >= before && Number(created_at) <= (await now()), String(created_at));
});

test("credentials are created one after the other, also when the clock was set back in between", async () => {
  const account = await givenAccount(db.sql);
  const last = await createdAtOf(account, await givenFutureCredential(account));
  const { created_at: first } = await callCreate(db.sql, account);
  const { created_at: second } = await callCreate(db.sql, account);
  assert.deepEqual([Number(first) - last, Number(second) - last], [1, 2]);
});

test("an expiry is judged by the clock all the same, and the credential is active until then", async () => {
  const account = await givenAccount(db.sql);
  await givenFutureCredential(account);
  const before = await now();
  const { facts, expires_at } = await callCreate(db.sql, account, { defaultSeconds: 2 * HOUR_SECONDS });
  assert.equal(facts["credential"].status, "active");
  const lifetimeMs = Number(expires_at) - before;
  assert.ok(
    lifetimeMs >= 2 * HOUR_SECONDS * 1000 && Number(expires_at) <= (await now()) + 2 * HOUR_SECONDS * 1000,
  );
});

test("a credential that ends before the set-back clock comes to its creation can be created too", async () => {
  const account = await givenAccount(db.sql);
  const last = await createdAtOf(account, await givenFutureCredential(account));
  const { outcome, facts, created_at, expires_at } = await callCreate(db.sql, account, {
    defaultSeconds: 60,
  });
  assert.deepEqual([outcome, facts["credential"]?.status], ["done", "active"]);
  assert.equal(Number(created_at), last + 1);
  assert.ok(Number(expires_at) <= (await now()) + 60_000);
});

test("a tombstone puts nothing off", async () => {
  const account = await givenAccount(db.sql);
  await givenFutureCredential(account, { deletedSecondsAgo: 1 });
  const { created_at } = await callCreate(db.sql, account);
  assert.ok(Number(created_at) <= (await now()));
});

const revocations = {
  "its account": (account: Account) => db.sql`keyturn.revoke_service_account_credentials(
    ${callerOf(db.sql, account)}, ${account.id})`,
  "its organization": (account: Account) => db.sql`keyturn.revoke_organization_credentials(
    ${callerOf(db.sql, account)}, '{}')`,
};
for (const [name, revocation] of Object.entries(revocations)) {
  test(`a revocation of ${name} ends what exists, and nothing that is created later, whatever the clock says`, async () => {
    const account = await givenAccount(db.sql);
    const old = await givenFutureCredential(account);
    const { outcome, facts } = await outcomeOf(db.sql, revocation(account));
    assert.deepEqual([outcome, facts["revoked_credential_count"]], ["done", 1]);
    const { facts: created } = await callCreate(db.sql, account);
    const states = await db.sql<{ id: string; status: string }[]>`
      select id, status from keyturn.credential_states(${account.organizationId}, ${account.id}, clock_timestamp())`;
    assert.deepEqual(Object.fromEntries(states.map(({ id, status }) => [id, status])), {
      [old]: "revoked",
      [created["credential"].id]: "active",
    });
  });
}
