import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import type postgres from "postgres";
import { givenAccount, givenDatabase, type TestDatabase } from "../support/database.ts";
import { type Account, callCreate, freshCredentialId } from "./create-call.ts";

let db: TestDatabase;
before(async () => {
  db = await givenDatabase();
});
after(() => db.drop());

interface AuditRow {
  readonly organization_id: string;
  readonly service_account_uid: string;
  readonly sequence: string;
  readonly occurred_at: Date;
  readonly action: string;
  readonly outcome: string;
  readonly service_account_id: string;
  readonly credential_id: string | null;
  readonly actor_issuer: string;
  readonly actor_subject: string;
  readonly client_address: string | null;
  readonly request_id: string;
  readonly previous_hash: Buffer;
  readonly hash: Buffer;
}

/** What the documentation tells an auditor to compute, with nothing of the database's. */
function hashOf(row: AuditRow): Buffer {
  const values = [
    row.organization_id,
    row.service_account_uid,
    Number(row.sequence),
    row.occurred_at.getTime() * 1000,
    row.action,
    row.outcome,
    row.service_account_id,
    row.credential_id,
    row.actor_issuer,
    row.actor_subject,
    row.client_address,
    row.request_id,
  ];
  const text = `[${values.map((value) => JSON.stringify(value)).join(", ")}]`;
  return createHash("sha256").update(row.previous_hash).update(text, "utf8").digest();
}

/** Whether the rows are one unbroken chain from nothing to the head that the account carries. */
async function isWhole(sql: postgres.Sql, account: Account): Promise<boolean> {
  const [head] = await sql<{ uid: string; audit_sequence: string; audit_hash: Buffer }[]>`
    select uid, audit_sequence, audit_hash from keyturn.service_accounts where id = ${account.id}`;
  assert.ok(head);
  const rows = await sql<AuditRow[]>`
    select * from keyturn.audit_events where service_account_uid = ${head.uid} order by sequence`;
  let previous: Buffer = Buffer.alloc(0);
  for (const [index, row] of rows.entries()) {
    if (Number(row.sequence) !== index + 1 || !row.previous_hash.equals(previous)) return false;
    if (!row.hash.equals(hashOf(row))) return false;
    previous = row.hash;
  }
  return Number(head.audit_sequence) === rows.length && head.audit_hash.equals(previous);
}

async function givenChain(): Promise<Account> {
  const account = await givenAccount(db.sql);
  for (const clientAddress of ["203.0.113.7", null, "2001:db8::7", "203.0.113.0/24"]) {
    await callCreate(db.sql, account, { clientAddress, subject: 'a "quoted" \\ Zoë, 東京 \u2028 🔑' });
  }
  return account;
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
  const [{ uid } = { uid: "" }] = await db.sql<{ uid: string }[]>`
    select uid from keyturn.service_accounts where id = ${account.id}`;
  const rows = await db.sql<AuditRow[]>`
    select * from keyturn.audit_events where organization_id = ${account.organizationId}`;
  const [{ hash, ...row } = {} as AuditRow] = rows;
  assert.equal(rows.length, 1);
  assert.deepEqual(row, {
    organization_id: account.organizationId,
    service_account_uid: uid,
    sequence: "1",
    occurred_at: created_at,
    action: "credential.create",
    outcome: "succeeded",
    service_account_id: account.id,
    credential_id: call.credentialId,
    actor_issuer: "https://login.example",
    actor_subject: "user-7",
    client_address: "2001:db8::7",
    request_id: "request-7",
    previous_hash: Buffer.alloc(0),
  });
});

test("the chain can be computed again from the columns alone, whatever they hold", async () => {
  assert.equal(await isWhole(db.sql, await givenChain()), true);
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
  assert.equal(row?.["count"], 5);
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
  "actor_issuer = actor_subject, actor_subject = actor_issuer",
  "previous_hash = sha256('x')",
  "hash = sha256('x')",
];

const REMOVE = "delete from keyturn.audit_events where service_account_uid = $1 and sequence";
const MOVE = "update keyturn.audit_events set sequence =";
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
  ["a chain without its last row", [`${REMOVE} = 4`]],
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
       select organization_id, service_account_uid, 5, occurred_at, action, outcome, service_account_id, credential_id,
              actor_issuer, actor_subject, client_address, request_id, hash, sha256(hash)
         from keyturn.audit_events where service_account_uid = $1 and sequence = 4`,
    ],
  ],
];

for (const [name, statements] of TAMPERINGS) {
  test(`${name} shows`, async () => {
    const account = await givenChain();
    const [head] = await db.sql<{ uid: string }[]>`
      select uid from keyturn.service_accounts where id = ${account.id}`;
    for (const statement of statements) {
      const { count } = await db.sql.unsafe(statement, [head?.uid ?? ""]);
      assert.ok(count > 0, "nothing was tampered with");
    }
    assert.equal(await isWhole(db.sql, account), false);
  });
}
