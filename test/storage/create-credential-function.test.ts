import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import postgres from "postgres";
import { givenAccount, givenDatabase, type TestDatabase } from "../support/database.ts";
import { eventually } from "../support/stored.ts";
import { type Account, type CreateCall, callCreate, freshCredentialId } from "./create-call.ts";
import { givenCredential, traceOf, trailOf } from "./stored-credential.ts";

let db: TestDatabase;
/** The login of a server. */
let server: postgres.Sql;
before(async () => {
  db = await givenDatabase();
  server = postgres(db.serverUrl, { max: 1, onnotice: () => {}, connection: { lock_timeout: 5_000 } });
});
after(async () => {
  await server.end();
  await db.drop();
});

const PAST = new Date(0);
const TOO_LATE = "9999-12-31T23:59:59Z";

async function givenFullAccount() {
  const account = await givenAccount(db.sql);
  for (const _ of Array(5)) await givenCredential(db.sql, account);
  return account;
}

test("a credential is stored as it is answered, with nothing of the bounds", async () => {
  const account = await givenAccount(db.sql);
  const credentialId = freshCredentialId();
  const row = await callCreate(server, account, { credentialId, subject: "user-7" });
  const stored = await db.sql`
    select id, uid, secret_hash, hint, created_by, created_at, expires_at from keyturn.credentials
     where organization_id = ${account.organizationId} and service_account_id = ${account.id}`;
  const { uid, created_at, expires_at } = row;
  assert.deepEqual(
    stored.map((found) => ({ ...found })),
    [
      {
        id: credentialId,
        uid,
        secret_hash: "no-hash",
        hint: "hint",
        created_by: "user-7",
        created_at,
        expires_at,
      },
    ],
  );
  assert.deepEqual([row.outcome, Object.keys(row.facts)], ["done", ["credential"]]);
});

/** A full account with a role that callers without any cannot grant. */
async function givenRolesBeyondTheCaller() {
  const account = await givenFullAccount();
  await db.sql`update keyturn.service_accounts set roles = '{reader}' where id = ${account.id}`;
  return account;
}

/** All of that, in an organization that allows no new credentials. */
async function givenNoHope() {
  const account = await givenRolesBeyondTheCaller();
  await db.sql`update keyturn.organizations set credential_creation = 'denied' where id = ${account.organizationId}`;
  return account;
}

const givenUnknownAccount = async () => ({ organizationId: "org-unknown", id: "sa-unknown" });
const inDays = (days: number) => new Date(Date.now() + days * 86_400_000);
const order: { name: string; call: Partial<CreateCall>; given: () => Promise<Account>; first: string }[] = [
  {
    name: "an unknown account",
    call: { expiresAt: PAST, notBefore: inDays(2) },
    given: givenUnknownAccount,
    first: "not_found",
  },
  {
    name: "an expiry in the past",
    call: { expiresAt: PAST, notBefore: inDays(2) },
    given: givenNoHope,
    first: "expiry_in_past",
  },
  {
    name: "a late expiry",
    call: { expiresAt: TOO_LATE, notBefore: TOO_LATE },
    given: givenNoHope,
    first: "expiry_above_maximum",
  },
  {
    name: "a beginning after the end",
    call: { expiresAt: inDays(1), notBefore: inDays(2) },
    given: givenNoHope,
    first: "not_before_after_expiry",
  },
  {
    name: "a policy against new credentials",
    call: {},
    given: givenNoHope,
    first: "credential_creation_denied",
  },
  {
    name: "a role that the caller cannot grant",
    call: {},
    given: givenRolesBeyondTheCaller,
    first: "role_not_grantable",
  },
  { name: "a full account", call: {}, given: givenFullAccount, first: "credential_limit_reached" },
];
for (const { name, call, given, first } of order) {
  test(`${name} is answered ${first}, before anything that comes later, and writes nothing but that down`, async () => {
    const account = await given();
    const before = await traceOf(db.sql, account);
    assert.equal((await callCreate(server, account, { grantableRoles: [], ...call })).outcome, first);
    assert.deepEqual(await traceOf(db.sql, account), before);
    assert.deepEqual(await trailOf(db.sql, account), [`credential.create ${first}`]);
  });
}

test("the limit counts active credentials and says how many there are", async () => {
  const account = await givenFullAccount();
  const { outcome, limit, active_count } = await callCreate(server, account);
  assert.deepEqual([outcome, limit, active_count], ["credential_limit_reached", 5, 5]);
});

test("an account with more credentials than a lowered limit keeps them all and gets no more", async () => {
  const account = await givenFullAccount();
  const { outcome, limit, active_count } = await callCreate(server, account, { activeMax: 2 });
  assert.deepEqual([outcome, limit, active_count], ["credential_limit_reached", 2, 5]);
});

test("expired credentials do not count, however many", async () => {
  const account = await givenAccount(db.sql);
  for (const _ of Array(7)) await givenCredential(db.sql, account, { remainingSeconds: -0.001 });
  for (const _ of Array(5)) assert.equal((await callCreate(server, account)).outcome, "done");
  assert.equal((await callCreate(server, account)).outcome, "credential_limit_reached");
});

test("a credential stops counting by the clock alone", async () => {
  const account = await givenAccount(db.sql);
  await givenCredential(db.sql, account, { remainingSeconds: 0.25 });
  assert.equal((await callCreate(server, account, { activeMax: 1 })).outcome, "credential_limit_reached");
  const create = async () => (await callCreate(server, account, { activeMax: 1 })).outcome;
  assert.equal(await eventually(create, (outcome) => outcome !== "credential_limit_reached"), "done");
});

test("the safest to delete is never used before least recently used, and the oldest of equals", async () => {
  const account = await givenAccount(db.sql);
  const sorted = [
    await givenCredential(db.sql, account, { ageSeconds: 900, id: "cred-a" }),
    await givenCredential(db.sql, account, { ageSeconds: 50 }),
    await givenCredential(db.sql, account, { ageSeconds: 100, usedSecondsAgo: 90 }),
    await givenCredential(db.sql, account, { ageSeconds: 800, usedSecondsAgo: 30 }),
    await givenCredential(db.sql, account, { ageSeconds: 999, usedSecondsAgo: 1 }),
  ];
  await givenCredential(db.sql, account, { ageSeconds: 2000, remainingSeconds: -1 });
  for (const expected of sorted) {
    const { safest_to_delete } = await callCreate(server, account, { activeMax: 1 });
    assert.equal(safest_to_delete, expected);
    await db.sql`delete from keyturn.credentials where id = ${expected}`;
  }
});

test("a disabled account may get new credentials", async () => {
  const account = await givenAccount(db.sql);
  await db.sql`update keyturn.service_accounts set status = 'disabled' where id = ${account.id}`;
  assert.equal((await callCreate(server, account)).outcome, "done");
});

test("an account of the same id in another organization is neither counted, locked nor written", async () => {
  const theirs = await givenFullAccount();
  const ours = { organizationId: `${theirs.organizationId}-2`, id: theirs.id };
  await db.sql`insert into keyturn.organizations (id) values (${ours.organizationId})`;
  await db.sql`
    insert into keyturn.service_accounts (organization_id, id, display_name, scope_id, created_by)
    values (${ours.organizationId}, ${ours.id}, 'Same id', ${ours.organizationId}, 'test')`;
  const before = await traceOf(db.sql, theirs);
  const holder = await db.sql.reserve();
  try {
    await holder`begin`;
    await holder`
      select from keyturn.service_accounts
       where organization_id = ${theirs.organizationId} and id = ${theirs.id} for update`;
    assert.equal((await callCreate(server, ours)).outcome, "done");
  } finally {
    await holder`rollback`;
    holder.release();
  }
  assert.deepEqual(await traceOf(db.sql, theirs), before);
  assert.deepEqual(await trailOf(db.sql, theirs), []);
});
