/** Two who write the first row of a chain at the same moment. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import postgres from "postgres";
import { chainFaults } from "../support/audit-chain.ts";
import { givenAccount, givenDatabase, type TestDatabase } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { callCreate } from "./create-call.ts";

let db: TestDatabase;
let sessions: postgres.Sql;
before(async () => {
  db = await givenDatabase();
  sessions = postgres(db.serverUrl, { max: 2, onnotice: () => {} });
});
after(async () => {
  await sessions.end();
  await db.drop();
});

const isWaiting = async () => {
  const waiting = await db.sql`
    select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  return waiting.length > 0;
};

for (const end of ["commit", "rollback"] as const) {
  test(`who begins a chain that another has begun waits for his ${end}, and the chain is whole`, async () => {
    const { organizationId } = await givenAccount(db.sql);
    const unknown = { organizationId, id: "sa-unknown" };
    const first = await sessions.reserve();
    await first`begin`;
    assert.equal((await callCreate(first, unknown)).outcome, "not_found");
    const second = callCreate(sessions, unknown);
    await eventually(isWaiting);
    await first.unsafe(end);
    first.release();
    assert.equal((await second).outcome, "not_found");
    assert.deepEqual(await chainFaults(db.sql, organizationId), []);
    const rows = await db.sql`select from keyturn.audit_events where organization_id = ${organizationId}`;
    assert.equal(rows.length, end === "commit" ? 2 : 1);
  });
}
