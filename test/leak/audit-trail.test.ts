import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import postgres from "postgres";
import { AuditService } from "../../gen/keyturn/v1/audit_service_pb.ts";
import { CredentialService } from "../../gen/keyturn/v1/credential_service_pb.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { type RpcCaller, rpcCallersOf, secretsOf } from "../support/rpc-callers.ts";
import { searchFor } from "../support/secret-search.ts";
import { trailLength } from "../support/trail.ts";

const { createCredential, rotateCredential, deleteCredential } = CredentialService.method;
const { listAuditEvents } = AuditService.method;

let h: TestKeyturn;
let callers: RpcCaller[];
before(async () => {
  h = await givenKeyturn();
  callers = rpcCallersOf(h);
});
after(async () => {
  for (const caller of callers ?? []) caller.close();
  await h?.stop();
});

test("no row of the trail, and no list of it, has any of a secret, a hash, a hint, an idempotency key or a token", async () => {
  const { organizationId, id } = await h.givenAccount();
  const headers = { authorization: `Bearer ${await h.token(organizationId)}` };
  const keys: string[] = [];
  const secrets: string[] = [];
  for (const caller of callers) {
    const [key, rotationKey] = [randomUUID(), randomUUID()];
    keys.push(key, rotationKey);
    const create = { serviceAccountId: id, requestId: key, displayName: caller.door };
    const created = await caller.call(createCredential, create, headers);
    const again = await caller.call(createCredential, create, headers);
    const other = await caller.call(createCredential, { ...create, displayName: "Other" }, headers);
    const old = { serviceAccountId: id, id: created.body.id };
    const rotated = await caller.call(rotateCredential, { ...old, requestId: rotationKey }, headers);
    const gone = { serviceAccountId: id, id: rotated.body.id };
    assert.equal((await caller.call(deleteCredential, gone, headers)).reason, "");
    secrets.push(...secretsOf([created, again, rotated]));
    assert.equal(other.reason === "", false, "another body under the same key is refused");
  }
  assert.equal(secrets.length, callers.length * 3);

  const stored = await h.db.sql<{ secret_hash: string; hint: string }[]>`
    select secret_hash, hint from keyturn.credentials where organization_id = ${organizationId}`;
  const rows = await h.db.sql`
    select to_jsonb(e)::text as row, e.hash, e.previous_hash from keyturn.audit_events e
     where organization_id = ${organizationId}`;
  // Of one call each: a repetition that was answered with what is known leaves none.
  assert.equal(rows.length, callers.length * 4);
  const listed = await Promise.all(
    callers.map(async (caller) => JSON.stringify((await caller.call(listAuditEvents, {}, headers)).body)),
  );
  const text = [...rows.map((row) => withoutHashes(row["row"])), ...listed].join("\n");
  // The credential's id is public; random part, tag and checksum are what must not be seen.
  const hidden = [
    ...secrets.map((secret) => secret.slice(-60)),
    ...stored.map((row) => row.secret_hash),
    ...keys,
  ];
  assert.deepEqual(searchFor([...hidden, headers.authorization]).find(text), []);
  for (const { hint } of stored) assert.doesNotMatch(text, new RegExp(`\\b${hint}\\b`));
  assert.match(text, /credential\.rotate/);
});

/** The chain's own hashes are no hashes of secrets, and could hold any four characters. */
const withoutHashes = (row: string) => row.replace(/"\\\\x[0-9a-f]*"/g, '"\\\\x"');

const FORBIDDEN = [
  `insert into keyturn.audit_events select * from keyturn.audit_events`,
  "insert into keyturn.audit_events (organization_id) values ('acme')",
  "update keyturn.audit_events set outcome = 'succeeded'",
  "delete from keyturn.audit_events",
  "truncate keyturn.audit_events",
  "insert into keyturn.audit_chains (organization_id, service_account_uid) values ('acme', gen_random_uuid())",
  "update keyturn.audit_chains set sequence = 0",
  "delete from keyturn.audit_chains",
  "truncate keyturn.audit_chains",
  "select from keyturn.audit_events for update",
  "alter table keyturn.audit_events disable trigger all",
  "select keyturn.append_audit_event(null, null, null, null, 'x', 'x', null)",
  "select keyturn.record_outcome(null, null, null, null, 'x', 'x', null, null)",
  "select keyturn.set_organization_status('acme', 'suspended')",
];

for (const statement of FORBIDDEN) {
  test(`the login of a server may not: ${statement}`, async () => {
    const { organizationId, id } = await h.givenAccount();
    const headers = { authorization: `Bearer ${await h.token(organizationId)}` };
    await callers[0]?.call(createCredential, { serviceAccountId: id }, headers);
    const length = await trailLength(h.db.sql);
    const server = postgres(h.db.serverUrl, { max: 1, onnotice: () => {} });
    try {
      await assert.rejects(server.unsafe(statement), (err: { code?: string }) => err.code === "42501");
    } finally {
      await server.end({ timeout: 1 });
    }
    assert.equal(await trailLength(h.db.sql), length);
  });
}
