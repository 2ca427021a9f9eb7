import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type postgres from "postgres";
import { type AuditRow, chainFaults } from "../support/audit-chain.ts";
import { givenAccount, givenDatabase, type TestDatabase } from "../support/database.ts";
import { type Account, callCreate, freshCredentialId } from "./create-call.ts";

let db: TestDatabase;
before(async () => {
  db = await givenDatabase();
});
after(() => db.drop());

/** Whether every chain of the account's organization is unbroken, from nothing to the head that is kept of it. */
async function isWhole(sql: postgres.Sql, { organizationId }: Account): Promise<boolean> {
  return (await chainFaults(sql, organizationId)).length === 0;
}

const SUBJECT = 'a "quoted" \\ Zoë, 東京 \u2028 🔑';

/** Four creates and a refusal that says more in its details, and a refusal in the chain of the organization. */
async function givenChain(): Promise<Account> {
  const account = await givenAccount(db.sql);
  for (const clientAddress of ["203.0.113.7", null, "2001:db8::7", "203.0.113.0/24"]) {
    await callCreate(db.sql, account, { clientAddress, subject: SUBJECT });
  }
  await callCreate(db.sql, account, { activeMax: 4 });
  await callCreate(db.sql, { ...account, id: "sa-unknown" }, { subject: SUBJECT });
  return account;
}

async function uidOf({ id }: Account): Promise<string> {
  const [row] = await db.sql<{ uid: string }[]>`select uid from keyturn.service_accounts where id = ${id}`;
  return row?.uid ?? "";
}

test("a create leaves one audit row that says who did what to which credential, when and from where", async () => {
  const account = await givenAccount(db.sql);
  const call = {
    credentialId: freshCredentialId(),
    issuer: "https://login.example",
    subject: "user-7",
    clientAddress: "2001:db8::7",
    requestId: "request-7",
  };
  const { created_at } = await callCreate(db.sql, account, call);
  const rows = await db.sql<AuditRow[]>`
    select * from keyturn.audit_events where organization_id = ${account.organizationId}`;
  const [{ hash, occurred_at, transaction_id, ...row } = {} as AuditRow] = rows;
  assert.equal(rows.length, 1);
  assert.ok(created_at !== null && occurred_at >= created_at);
  assert.deepEqual(row, {
    organization_id: account.organizationId,
    service_account_uid: await uidOf(account),
    sequence: "1",
    action: "credential.create",
    outcome: "succeeded",
    service_account_id: account.id,
    credential_id: call.credentialId,
    actor_issuer: "https://login.example",
    actor_subject: "user-7",
    client_address: "2001:db8::7",
    request_id: "request-7",
    details: null,
    previous_hash: Buffer.alloc(0),
  });
});

test("a refusal leaves its audit row too, which says by the fault's word why, and the facts in words", async () => {
  const account = await givenAccount(db.sql);
  const credentialId = freshCredentialId();
  await callCreate(db.sql, account, { credentialId });
  await callCreate(db.sql, account, { activeMax: 1 });
  const [, row] = await db.sql<AuditRow[]>`
    select * from keyturn.audit_events where organization_id = ${account.organizationId} order by sequence`;
  assert.deepEqual([row?.action, row?.outcome], ["credential.create", "credential_limit_reached"]);
  assert.deepEqual([row?.service_account_id, row?.credential_id], [account.id, null]);
  assert.deepEqual(row?.details, { limit: "1", active_count: "1", safest_to_delete: credentialId });
});

test("what is about no account stands in the chain of the organization, under the uid of zeros", async () => {
  const { organizationId } = await givenAccount(db.sql);
  await callCreate(db.sql, { organizationId, id: "sa-unknown" });
  const [row] = await db.sql<AuditRow[]>`
    select * from keyturn.audit_events where organization_id = ${organizationId}`;
  assert.equal(row?.service_account_uid, "00000000-0000-0000-0000-000000000000");
  assert.deepEqual([row?.service_account_id, row?.outcome], ["sa-unknown", "not_found"]);
});

test("the chain can be computed again from the columns alone, whatever they hold", async () => {
  assert.equal(await isWhole(db.sql, await givenChain()), true);
});

test("a restore into another cluster, where transactions count anew, leaves the chain whole", async () => {
  const account = await givenChain();
  const { count } = await db.sql`
    update keyturn.audit_events set transaction_id = '3' where organization_id = ${account.organizationId}`;
  assert.equal(count, 6);
  assert.equal(await isWhole(db.sql, account), true);
});

test("an account that is made again under its id starts a chain of its own", async () => {
  const account = await givenChain();
  await db.sql`delete from keyturn.service_accounts where id = ${account.id}`;
  await db.sql`
    insert into keyturn.service_accounts (organization_id, id, display_name, scope_id, created_by)
    values (${account.organizationId}, ${account.id}, 'Again', ${account.organizationId}, 'test')`;
  await callCreate(db.sql, account);
  assert.equal(await isWhole(db.sql, account), true);
  const [row] =
    await db.sql`select count(*)::int from keyturn.audit_events where service_account_id = ${account.id}`;
  assert.equal(row?.["count"], 6);
});

const CHANGES = [
  "organization_id = organization_id || 'x'",
  "occurred_at = occurred_at + interval '1 millisecond'",
  "action = 'credential.delete'",
  "outcome = 'failed'",
  "service_account_id = 'sa-other'",
  "credential_id = null",
  "credential_id = credential_id || 'x'",
  "actor_issuer = 'https://else.example'",
  "actor_subject = normalize(actor_subject, NFD)",
  "client_address = '203.0.113.8'",
  "client_address = set_masklen(client_address, 24)",
  "client_address = null",
  "request_id = ''",
  'details = \'{"limit": "5"}\'',
  "actor_issuer = actor_subject, actor_subject = actor_issuer",
  "previous_hash = sha256('x')",
  "hash = sha256('x')",
];

const REMOVE = "delete from keyturn.audit_events where service_account_uid = $1 and sequence";
const MOVE = "update keyturn.audit_events set sequence =";
const OF_REFUSAL = "where service_account_uid = $1 and sequence = 5";
const TAMPERINGS: [name: string, statements: string[]][] = [
  ...CHANGES.map((change): [string, string[]] => [
    `a row with ${change}`,
    [`update keyturn.audit_events set ${change} where service_account_uid = $1 and sequence = 1`],
  ]),
  ["a chain without its first row", [`${REMOVE} = 1`]],
  ["a chain without a row in the middle", [`${REMOVE} = 2`]],
  [
    "a chain without a row in the middle, counted anew",
    [`${REMOVE} = 2`, `${MOVE} sequence - 1 where service_account_uid = $1 and sequence > 2`],
  ],
  [
    "a row whose details are others",
    [`update keyturn.audit_events set details = details || '{"limit": "9"}' ${OF_REFUSAL}`],
  ],
  ["a row without its details", [`update keyturn.audit_events set details = null ${OF_REFUSAL}`]],
  ["a chain without its last row", [`${REMOVE} = 5`]],
  ["a chain whose head is gone", ["delete from keyturn.audit_chains where service_account_uid = $1"]],
  [
    "a chain whose head was set back",
    [
      `update keyturn.audit_chains c set sequence = e.sequence, hash = e.hash from keyturn.audit_events e
        where e.service_account_uid = $1 and e.sequence = 4 and c.service_account_uid = e.service_account_uid`,
    ],
  ],
  ["no chain at all", [`${REMOVE} > 0`]],
  [
    "two rows in each other's place",
    [
      `${MOVE} 99 where service_account_uid = $1 and sequence = 2`,
      `${MOVE} 2 where service_account_uid = $1 and sequence = 3`,
      `${MOVE} 3 where service_account_uid = $1 and sequence = 99`,
    ],
  ],
  [
    "a row that was put in at the end",
    [
      `insert into keyturn.audit_events
       select organization_id, service_account_uid, 6, occurred_at, action, outcome, service_account_id, credential_id,
              actor_issuer, actor_subject, client_address, request_id, hash, sha256(hash), details
         from keyturn.audit_events where service_account_uid = $1 and sequence = 5`,
    ],
  ],
];

for (const [name, statements] of TAMPERINGS) {
  test(`${name} shows`, async () => {
    const account = await givenChain();
    const uid = await uidOf(account);
    for (const statement of statements) {
      const { count } = await db.sql.unsafe(statement, [uid]);
      assert.ok(count > 0, "nothing was tampered with");
    }
    assert.equal(await isWhole(db.sql, account), false);
  });
}
