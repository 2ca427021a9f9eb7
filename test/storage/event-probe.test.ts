/** By which event a receiver is tried that has failed. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import postgres from "postgres";
import { openOutbox } from "../../src/storage/outbox.ts";
import { givenAccount, givenDatabase, type TestDatabase } from "../support/database.ts";
import { givenPool } from "../support/given-pool.ts";
import { create, wantEvents } from "./given-events.ts";

let db: TestDatabase;
before(async () => {
  db = await givenDatabase();
});
after(() => db.drop());

test("it is the one that was sent least often, the newest of those, and nobody else has it meanwhile", async () => {
  const server = postgres(db.serverUrl, { max: 1, onnotice: () => {} });
  const pool = givenPool(db.serverUrl, 1);
  try {
    await wantEvents(server);
    /** An account whose event was sent so many times, and came due so long ago. */
    const given = async (attempts: number, dueAgo: string) => {
      const account = await givenAccount(db.sql);
      await create(server, account, 1);
      await db.sql`
        update keyturn.events set attempts = ${attempts}, due_at = clock_timestamp() - ${dueAgo}::interval
         where organization_id = ${account.organizationId}`;
      return account.organizationId;
    };
    const often = await given(9, "2 hours");
    const older = await given(0, "1 hour");
    const newer = await given(0, "1 minute");
    const once = await given(1, "3 hours");
    await given(0, "-1 minute");
    const outbox = openOutbox(pool);
    const probes = [];
    while (probes.length < 5) probes.push(await outbox.claimProbe(60_000));
    assert.deepEqual(
      probes.map((probe) => [probe?.organizationId, probe?.attempts]),
      [
        [newer, 1],
        [older, 1],
        [once, 2],
        [often, 10],
        [undefined, undefined],
      ],
    );
    assert.deepEqual(await outbox.claim(100, 60_000), []);
  } finally {
    await Promise.all([server.end(), pool.close(1_000)]);
  }
});
