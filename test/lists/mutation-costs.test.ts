import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { givenDatabase, type TestDatabase } from "../support/database.ts";
import { givenManyCredentials, type LongList } from "./given-rows.ts";

/** From the sixth run on the functions may go by plans that fit every account. */
const ROUNDS = 10;
const BUFFERS_MAX = 200;

let db: TestDatabase;
let list: LongList;
before(async () => {
  db = await givenDatabase();
  list = await givenManyCredentials(db.sql);
});
after(() => db.drop());

const BOUNDS = "row(3600, 60, 7200, 100)::keyturn.policy_bounds";

const newCredential = (id: string) => `jsonb_populate_record(null::keyturn.new_credential,
  '${JSON.stringify({ id, secret_hash: "no-hash", hint: "hint" })}')`;

function caller(validateOnly = false): string {
  const said = { organization_id: list.organizationId, issuer: "test", subject: "test", request_id: "test" };
  const row = JSON.stringify({ ...said, budget_ms: 60_000, validate_only: validateOnly });
  return `jsonb_populate_record(null::keyturn.caller, '${row}')`;
}

/** Runs a mutation, and says how many shared buffers that touched. */
async function buffersOf(call: string): Promise<number> {
  const [row] = await db.sql.unsafe(
    `explain (analyze, buffers, timing off, format json) select outcome from keyturn.${call}`,
  );
  const { Plan: plan } = row?.["QUERY PLAN"][0] ?? {};
  return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"];
}

test("what is done to credentials of an account costs the same however many it has had", async (t) => {
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
    for (const [name, call] of Object.entries(calls)) costs[name] = await buffersOf(call);
  }
  t.diagnostic(JSON.stringify(costs));
  for (const [name, buffers] of Object.entries(costs))
    assert.ok(buffers <= BUFFERS_MAX, `${name} touches ${buffers} buffers`);
  const [made] = await db.sql`
    select count(*)::integer as count from keyturn.credentials where id like 'cred-first-%' or id like 'cred-second-%'`;
  assert.equal(made?.["count"], 2 * ROUNDS);
});
