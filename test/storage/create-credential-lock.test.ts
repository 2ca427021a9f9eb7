import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import postgres from "postgres";
import { givenAccount, givenDatabase, type TestDatabase } from "../support/database.ts";
import { eventually } from "../support/stored.ts";
import { type Account, type CreateCall, callCreate } from "./create-call.ts";
import { givenCredential, traceOf, trailOf } from "./stored-credential.ts";

let db: TestDatabase;
let server: postgres.Sql;
/** Watches while `db.sql` holds locks. */
let watcher: postgres.Sql;
before(async () => {
  db = await givenDatabase();
  server = postgres(db.serverUrl, { max: 4, onnotice: () => {} });
  watcher = postgres(db.superuserUrl, { max: 1, onnotice: () => {} });
});
after(async () => {
  await Promise.all([server.end(), watcher.end()]);
  await db.drop();
});

async function now(): Promise<number> {
  const [row] = await watcher<{ now: Date }[]>`select clock_timestamp() as now`;
  return Number(row?.now);
}

async function waiterCount(): Promise<number> {
  const [row] = await watcher<{ count: number }[]>`
    select count(*)::int from pg_stat_activity
     where datname = ${db.name} and wait_event_type = 'Lock' and query like '%create_credential%'`;
  return row?.count ?? 0;
}

interface Hold {
  readonly waiters?: number;
  /** Milliseconds by which the database's clock moves on, at least, while the calls wait. */
  readonly waitMs: number;
  /** Done in the transaction that holds the lock, while the calls wait. */
  readonly meanwhile?: (sql: postgres.ReservedSql) => Promise<unknown>;
}

/** Calls while somebody else holds the account's lock, who lets go when all have waited. Resolves to when that was, too. */
async function createBehind(account: Account, hold: Hold, call: Partial<CreateCall> = {}) {
  const { waiters = 1 } = hold;
  const holder = await db.sql.reserve();
  try {
    await holder`begin`;
    await holder`
      select from keyturn.service_accounts
       where organization_id = ${account.organizationId} and id = ${account.id} for no key update`;
    const calls = Promise.all(Array.from({ length: waiters }, () => callCreate(server, account, call)));
    let areDone = false;
    const done = calls.finally(() => {
      areDone = true;
    });
    await eventually(waiterCount, (count) => count === waiters || areDone);
    assert.equal(areDone, false, "nobody waited for the lock");
    const seenAt = await now();
    await hold.meanwhile?.(holder);
    const releasedAt = await eventually(now, (time) => time > seenAt + hold.waitMs);
    await holder`commit`;
    return { releasedAt, rows: await done };
  } finally {
    await holder`rollback`;
    holder.release();
  }
}

test("the clock is read after the lock was got: who waited was created after the wait", async () => {
  const account = await givenAccount(db.sql);
  const { releasedAt, rows } = await createBehind(account, { waitMs: 20 });
  assert.equal(rows[0]?.outcome, "done");
  assert.ok(Number(rows[0]?.created_at) >= releasedAt, `${rows[0]?.created_at?.toISOString()}`);
});

test("an expiry that passed during the wait is refused", async () => {
  const account = await givenAccount(db.sql);
  const expiresAt = new Date((await now()) + 1_000);
  const call = { expiresAt, minSeconds: 1 };
  const until = async () => void (await eventually(now, (time) => time > Number(expiresAt)));
  const { rows } = await createBehind(account, { waitMs: 0, meanwhile: until }, call);
  assert.equal(rows[0]?.outcome, "expiry_in_past");
});

test("a call whose budget ran out during the wait writes nothing", async () => {
  const account = await givenAccount(db.sql);
  const before = await traceOf(db.sql, account);
  const { rows } = await createBehind(account, { waitMs: 20 }, { budgetMs: 20 });
  assert.equal(rows[0]?.outcome, "deadline_exceeded");
  assert.deepEqual(await traceOf(db.sql, account), before);
  assert.deepEqual(await trailOf(db.sql, account), []);
});

test("what was committed during the wait counts: credentials, the policy, and the end of the account", async () => {
  const filled = await givenAccount(db.sql);
  const fill = (sql: postgres.ReservedSql) => givenCredential(sql, filled);
  const full = await createBehind(filled, { waitMs: 0, meanwhile: fill }, { activeMax: 1 });
  assert.equal(full.rows[0]?.outcome, "credential_limit_reached");

  const tightened = await givenAccount(db.sql);
  const tighten = (sql: postgres.ReservedSql) => sql`
    update keyturn.organizations set default_lifetime_seconds = 3600 where id = ${tightened.organizationId}`;
  const short = await createBehind(tightened, { waitMs: 0, meanwhile: tighten });
  assert.equal(Number(short.rows[0]?.expires_at) - Number(short.rows[0]?.created_at), 3_600_000);

  const removed = await givenAccount(db.sql);
  const remove = (sql: postgres.ReservedSql) => sql`
    delete from keyturn.service_accounts where organization_id = ${removed.organizationId}`;
  const gone = await createBehind(removed, { waitMs: 0, meanwhile: remove });
  assert.equal(gone.rows[0]?.outcome, "not_found");
  assert.deepEqual(await trailOf(db.sql, removed), ["credential.create not_found"]);
});

test("of four that wait for the last place one gets it, and all of them leave one chain without gaps", async () => {
  const account = await givenAccount(db.sql);
  const { rows } = await createBehind(account, { waitMs: 0, waiters: 4 }, { activeMax: 1 });
  assert.deepEqual(rows.map((row) => row.outcome).sort(), [
    "credential_limit_reached",
    "credential_limit_reached",
    "credential_limit_reached",
    "done",
  ]);
  const { rows: more } = await createBehind(account, { waitMs: 0, waiters: 4 }, { activeMax: 5 });
  assert.deepEqual(new Set(more.map((row) => row.outcome)), new Set(["done"]));
  const chain = await db.sql<{ sequence: string; outcome: string }[]>`
    select sequence, outcome from keyturn.audit_events where service_account_id = ${account.id} order by sequence`;
  assert.deepEqual(
    chain.map((row) => row.sequence),
    ["1", "2", "3", "4", "5", "6", "7", "8"],
  );
  assert.equal(chain.filter((row) => row.outcome === "succeeded").length, 5);
});
