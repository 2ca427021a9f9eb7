import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import postgres from "postgres";
import { SESSION_SETTINGS } from "../../src/storage/session-settings.ts";
import { givenDatabase, type TestDatabase } from "../support/database.ts";
import { BOUNDS, buffersOf, callerOf, newCredential } from "./function-costs.ts";
import { givenManyCredentials, type LongList } from "./given-rows.ts";

/** Until the functions are compiled and planned. */
const ROUNDS = 10;
const BUFFERS_MAX = 200;
/** The kill switch of an organization counts ten thousand, each in a place of its own, and no more. */
const BUFFERS_OF_COUNT_MAX = 25_000;
const EMPTY_ACCOUNTS = 50_000;
const REPLAYS = 50_000;

let db: TestDatabase;
/** A connection like a server's. */
let session: postgres.Sql;
let list: LongList;
before(async () => {
  db = await givenDatabase();
  session = postgres(db.superuserUrl, { max: 1, connection: SESSION_SETTINGS });
  list = await givenManyCredentials(db.sql);
  const { organizationId, serviceAccountId } = list;
  await db.sql`
    insert into keyturn.service_accounts (organization_id, id, display_name, scope_id, created_by)
    select ${organizationId}, 'sa-empty-' || n, 'Empty', 'here', 'test' from generate_series(1, ${EMPTY_ACCOUNTS}::integer) n`;
  await db.sql`analyze keyturn.service_accounts`;
  await db.sql`
    insert into keyturn.replays (organization_id, request_hash, body_hash, service_account_id, credential_id, created_at)
    select ${organizationId}, int4send(n), '', ${serviceAccountId}, 'cred-of-' || n, clock_timestamp()
      from generate_series(1, ${REPLAYS}::integer) n`;
  await db.sql`analyze`;
});
after(async () => {
  await session.end();
  await db.drop();
});

const caller = (validateOnly = false): string => callerOf(list.organizationId, validateOnly);

test("what is done to credentials costs the same however many the account has had, and however many accounts there are", async (t) => {
  const costs: Record<string, number> = {};
  for (let round = 0; round < ROUNDS; round += 1) {
    const account = `'${list.serviceAccountId}'`;
    const [first, second] = [`cred-first-${round}`, `cred-second-${round}`];
    const calls = {
      create: `create_credential(${caller()}, ${BOUNDS}, ${account}, ${newCredential(first)}, null)`,
      rotate: `rotate_credential(${caller()}, ${BOUNDS}, ${account}, '${first}', null, '0 seconds', ${newCredential(second)}, null)`,
      revoke: `revoke_service_account_credentials(${caller(true)}, ${account})`,
      revokeAll: `revoke_organization_credentials(${caller(true)}, '{}')`,
      delete: `delete_credential(${caller()}, ${account}, '${second}', null)`,
    };
    for (const [name, call] of Object.entries(calls)) costs[name] = await buffersOf(session, call);
  }
  t.diagnostic(JSON.stringify(costs));
  for (const [name, buffers] of Object.entries(costs))
    assert.ok(
      buffers <= (name === "revokeAll" ? BUFFERS_OF_COUNT_MAX : BUFFERS_MAX),
      `${name} touches ${buffers} buffers`,
    );
  const [made] = await db.sql`
    select count(*)::integer as count from keyturn.credentials where id like 'cred-first-%' or id like 'cred-second-%'`;
  assert.equal(made?.["count"], 2 * ROUNDS);
});
