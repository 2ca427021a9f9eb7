import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { unavailable } from "../../src/domain/fault.ts";
import type { Database } from "../../src/storage/database.ts";
import type { Presented } from "../../src/storage/usage-recorder.ts";
import { startUsageRecorder, type UsageRecorder } from "../../src/storage/usage-recorder.ts";
import { givenAccount, givenDatabase, type TestDatabase } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { givenPool } from "../support/given-pool.ts";
import type { Account } from "./create-call.ts";
import { at, principalOf, usageOf } from "./given-usage.ts";
import { givenCredential } from "./stored-credential.ts";

/** So long that only what a test flushes is written. */
const NEVER_MS = 10_000_000;

let db: TestDatabase;
/** Of two replicas. */
let pools: Database[];
let recorders: UsageRecorder[];
before(async () => {
  db = await givenDatabase();
  pools = [1, 2].map(() => givenPool(db.serverUrl));
  recorders = pools.map((pool) => startUsageRecorder(pool, { intervalMs: NEVER_MS, onError: () => {} }));
});
after(async () => {
  for (const recorder of recorders) recorder.stop();
  for (const pool of pools) await pool.close(1_000);
  await db.drop();
});

async function givenOne(): Promise<{ account: Account; id: string }> {
  const account = await givenAccount(db.sql);
  return { account, id: await givenCredential(db.sql, account) };
}

const from = (address: string | undefined, userAgent?: string): Presented => ({ address, userAgent });

const NOT_REFUSED = {
  last_refused_at: null,
  last_refused_reason: null,
  last_refused_ip: null,
  last_refused_user_agent: null,
  refused_count: "0",
};

test("a use is stored with its instant, address, user agent and count, and says nothing of refused ones", async () => {
  const { account, id } = await givenOne();
  const [recorder] = recorders as [UsageRecorder];
  recorder.used(principalOf(account, id, at(1)), from("192.0.2.1", "agent 1"));
  recorder.used(principalOf(account, id, at(2)), from("2001:db8::2", "agent 2"));
  assert.equal(await usageOf(db.sql, id), undefined);
  await recorder.flush();
  assert.deepEqual(await usageOf(db.sql, id), {
    last_used_at: at(2),
    last_used_ip: "2001:db8::2",
    last_used_user_agent: "agent 2",
    use_count: "2",
    ...NOT_REFUSED,
  });
});

test("a refused use is stored apart from uses", async () => {
  const { account, id } = await givenOne();
  const [recorder] = recorders as [UsageRecorder];
  recorder.refused(principalOf(account, id, at(5)), from("192.0.2.5"), "expired");
  await recorder.flush();
  recorder.used(principalOf(account, id, at(1)), from("192.0.2.1", "curl/8"));
  await recorder.flush();
  recorder.refused(principalOf(account, id, at(7)), from(undefined), "deleted");
  await recorder.flush();
  assert.deepEqual(await usageOf(db.sql, id), {
    last_used_at: at(1),
    last_used_ip: "192.0.2.1",
    last_used_user_agent: "curl/8",
    use_count: "1",
    last_refused_at: at(7),
    last_refused_reason: "deleted",
    last_refused_ip: null,
    last_refused_user_agent: null,
    refused_count: "2",
  });
});

for (const order of [
  [0, 1],
  [1, 0],
]) {
  test(`of two replicas the newest use wins and counts add up, when replica ${order[0]} writes first`, async () => {
    const { account, id } = await givenOne();
    const newer = recorders[1] as UsageRecorder;
    const older = recorders[0] as UsageRecorder;
    older.used(principalOf(account, id, at(1)), from("192.0.2.1", "old"));
    older.refused(principalOf(account, id, at(4)), from("192.0.2.4", "newest"), "expired");
    newer.used(principalOf(account, id, at(2)), from("192.0.2.2", "new"));
    newer.used(principalOf(account, id, at(3)), from(undefined));
    newer.refused(principalOf(account, id, at(3)), from("192.0.2.3", "older"), "pending");
    for (const replica of order) await recorders[replica]?.flush();
    assert.deepEqual(await usageOf(db.sql, id), {
      last_used_at: at(3),
      // Where the newest came from is not known: that must not be mixed with where an older one did.
      last_used_ip: null,
      last_used_user_agent: null,
      use_count: "3",
      last_refused_at: at(4),
      last_refused_reason: "expired",
      last_refused_ip: "192.0.2.4",
      last_refused_user_agent: "newest",
      refused_count: "2",
    });
  });
}

test("a database that fails for a while loses nothing", async (t) => {
  const { account, id } = await givenOne();
  const [pool] = pools as [Database];
  let isDown = true;
  const failing: Database = {
    ...pool,
    run: (...args) => (isDown ? Promise.reject(unavailable("database", 500)) : pool.run(...args)),
  };
  const errors: unknown[] = [];
  const recorder = startUsageRecorder(failing, { intervalMs: 1, onError: (err) => void errors.push(err) });
  t.after(() => recorder.stop());
  for (let seconds = 1; seconds <= 10; seconds += 1) {
    recorder.used(principalOf(account, id, at(seconds)), from(`192.0.2.${seconds}`));
    await eventually(() => errors.length >= seconds);
  }
  isDown = false;
  await eventually(() => recorder.pending() === 0);
  const stored = await eventually(() => usageOf(db.sql, id));
  assert.deepEqual([stored.use_count, stored.last_used_ip], ["10", "192.0.2.10"]);
});

test("uses of credentials that are gone are nobody's error, and take no other with them", async () => {
  const { account, id } = await givenOne();
  const gone = await givenOne();
  const swept = await givenCredential(db.sql, account);
  const [recorder] = recorders as [UsageRecorder];
  recorder.used(principalOf(gone.account, gone.id, at(1)), from(undefined));
  recorder.used(principalOf(account, swept, at(1)), from(undefined));
  recorder.used(principalOf({ ...account, id: "sa-other" }, id, at(9)), from(undefined));
  await recorder.flush();
  assert.equal(await usageOf(db.sql, id), undefined);
  for (const lost of [gone.id, swept]) recorder.used(principalOf(account, lost, at(2)), from(undefined));
  recorder.used(principalOf(account, id, at(2)), from("192.0.2.1"));
  await db.sql`delete from keyturn.service_accounts where organization_id = ${gone.account.organizationId}`;
  await db.sql`delete from keyturn.credentials where id = ${swept}`;
  await recorder.flush();
  assert.deepEqual([await usageOf(db.sql, gone.id), await usageOf(db.sql, swept)], [undefined, undefined]);
  assert.equal((await usageOf(db.sql, id))?.use_count, "1");
});

test("a deleted credential is remembered with its refused uses until its account goes", async () => {
  const { account, id } = await givenOne();
  await db.sql`update keyturn.credentials set deleted_at = clock_timestamp() where id = ${id}`;
  const [recorder] = recorders as [UsageRecorder];
  recorder.refused(principalOf(account, id, at(1)), from("192.0.2.1"), "deleted");
  await recorder.flush();
  assert.equal((await usageOf(db.sql, id))?.last_refused_reason, "deleted");
  await db.sql`delete from keyturn.service_accounts where organization_id = ${account.organizationId}`;
  assert.equal(await usageOf(db.sql, id), undefined);
});

test("whatever a stranger calls his user agent, it is stored as far as it can be", async () => {
  const agents: [sent: string, stored: string][] = [
    ["a\0b", "ab"],
    ["\ud83d", "\ufffd"],
    [`${"x".repeat(254)}\u{1f511}`, `${"x".repeat(254)}\ufffd`],
    ["y".repeat(10_000), "y".repeat(255)],
    [`"\\u0000{}'; drop table keyturn.credentials; --`, `"\\u0000{}'; drop table keyturn.credentials; --`],
    ["", ""],
  ];
  for (const [sent, stored] of agents) {
    const { account, id } = await givenOne();
    const [recorder] = recorders as [UsageRecorder];
    recorder.used(principalOf(account, id, at(1)), from("192.0.2.1", sent));
    await recorder.flush();
    assert.equal((await usageOf(db.sql, id))?.last_used_user_agent, stored);
  }
});
