import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import postgres from "postgres";
import type { Database } from "../../src/storage/database.ts";
import { givenAccount, givenDatabase, type TestDatabase } from "../support/database.ts";
import { givenPool } from "../support/given-pool.ts";
import { holdAccount } from "../support/row-lock.ts";
import { type Account, callerOf, freshCredentialId, outcomeOf } from "./create-call.ts";
import { at } from "./given-usage.ts";
import { givenCredential } from "./stored-credential.ts";

const ACCOUNTS = 10;
const CREDENTIALS_OF_EACH = 20;
/** Each takes some milliseconds. */
const DELETIONS = 150;

let db: TestDatabase;
let pools: Database[];
before(async () => {
  db = await givenDatabase();
  await givenManyCredentials();
  pools = [1, 2, 3].map(() => givenPool(db.serverUrl));
});
after(async () => {
  for (const pool of pools) await pool.close(1_000);
  await db.drop();
});

interface Use {
  readonly account: Account;
  readonly id: string;
}

const { signal } = new AbortController();

const toRow = ({ account, id }: Use) => ({
  organization_id: account.organizationId,
  service_account_id: account.id,
  credential_id: id,
  used_at: at(1),
  use_count: 1,
  refused_count: 0,
});

/** The server's own statement. */
async function record(pool: Database, uses: readonly Use[]): Promise<void> {
  await pool.run(signal, (sql) => sql`select keyturn.record_uses(${sql.json(uses.map(toRow) as never)})`);
}

async function givenUses(account: Account): Promise<Use[]> {
  const ids = Array.from({ length: CREDENTIALS_OF_EACH }, freshCredentialId);
  for (const id of ids) await givenCredential(db.sql, account, { id });
  return ids.map((id) => ({ account, id }));
}

test("two replicas that write over the same credentials in opposite orders, and deletes of their account, never wait in a circle", async () => {
  const { organizationId } = await givenAccount(db.sql);
  const accounts: Account[] = [];
  for (let count = 0; count < ACCOUNTS; count += 1) accounts.push(await givenAccount(db.sql, organizationId));
  const uses = (await Promise.all(accounts.map(givenUses))).flat();
  // In the middle, so that each replica comes to it with locks behind it and before it.
  const doomed = accounts[ACCOUNTS / 2] ?? assert.fail();
  let isOver = false;
  const writing = [uses, uses.toReversed()].map(async (order, replica) => {
    let writes = 0;
    for (; !isOver; writes += 1) {
      const start = performance.now();
      await record(pools[replica] as Database, order);
      // As long as it took: a delete gets its turn only where no two writes overlap without end, as those of real
      // servers, which write every two seconds, never do.
      await setTimeout(performance.now() - start);
    }
    return writes;
  });
  const deleting = async () => {
    for (let count = 0; count < DELETIONS; count += 1) {
      const [row] = await (pools[2] as Database).run<{ outcome: string }>(
        signal,
        (sql) => sql`select outcome from keyturn.delete_service_account(
          ${callerOf(sql, doomed)}, ${doomed.id}, null)`,
      );
      assert.equal(row?.outcome, "done");
      await restore(doomed, uses);
    }
  };
  await deleting().finally(() => {
    isOver = true;
  });
  const writes = (await Promise.all(writing)).reduce((sum, count) => sum + count, 0);
  assert.ok(writes >= 20, `${writes} writes`);
  const counts = await db.sql<{ use_count: string }[]>`
    select distinct use_count from keyturn.credential_usage
     where organization_id = ${organizationId} and service_account_id <> ${doomed.id}`;
  assert.deepEqual(
    counts.map(({ use_count }) => Number(use_count)),
    [writes],
  );
});

test("a write waits neither for who holds the account, nor for who deletes it", async (t) => {
  const account = await givenAccount(db.sql);
  const uses = await givenUses(account);
  const held = await holdAccount(db, account);
  t.after(() => held.release());
  const [pool] = pools as [Database];
  await record(pool, uses);
  const deleter = await givenTransaction(t);
  const [first, second] = uses as [Use, Use];
  await deleter`delete from keyturn.credentials where id = ${first.id}`;
  await deleter`update keyturn.credentials set deleted_at = clock_timestamp() where id = ${second.id}`;
  await record(pool, uses);
  await deleter`commit`;
  const counts = await db.sql<{ use_count: string; many: string }[]>`
    select use_count, count(*) as many from keyturn.credential_usage
     where service_account_id = ${account.id} group by use_count`;
  // The one that was being deleted is passed over, and gone; the tombstone's is written.
  assert.deepEqual([...counts], [{ use_count: "2", many: String(CREDENTIALS_OF_EACH - 1) }]);
});

test("a delete of a credential does not wait for a write, and one of its account only until it is done", async (t) => {
  const account = await givenAccount(db.sql);
  const uses = await givenUses(account);
  const writer = await givenTransaction(t);
  await writer`select keyturn.record_uses(${writer.json(uses.map(toRow) as never)})`;
  const [first] = uses as [Use];
  const [pool] = pools as [Database];
  const [row] = await pool.run<{ outcome: string }>(
    AbortSignal.timeout(20_000),
    (sql) => sql`select outcome from keyturn.delete_credential(
      ${callerOf(sql, account)}, ${account.id}, ${first.id}, null)`,
  );
  assert.equal(row?.outcome, "done");
  await writer`commit`;
  const { outcome } = await outcomeOf(
    db.sql,
    db.sql`keyturn.delete_service_account(${callerOf(db.sql, account)}, ${account.id}, null)`,
  );
  assert.equal(outcome, "done");
});

/** So many others that the credentials of a write are looked up one by one, in the order in which it names them. */
async function givenManyCredentials(): Promise<void> {
  const { organizationId, id } = await givenAccount(db.sql);
  await db.sql`
    insert into keyturn.credentials
      (organization_id, service_account_id, id, secret_hash, hint, created_by, created_at, expires_at)
    select ${organizationId}, ${id}, 'cred-other-' || n, 'no-hash', 'hint', 'test', clock_timestamp(), 'infinity'
      from generate_series(1, 20000) n`;
  await db.sql`analyze keyturn.credentials`;
}

/** A transaction on a connection of its own. */
async function givenTransaction(t: TestContext): Promise<postgres.Sql> {
  const sql = postgres(db.superuserUrl, { max: 1, onnotice: () => {} });
  t.after(() => sql.end({ timeout: 1 }));
  await sql.unsafe("begin");
  return sql;
}

/** The account as it was before its delete. */
async function restore(account: Account, uses: readonly Use[]): Promise<void> {
  await db.sql`
    insert into keyturn.service_accounts (organization_id, id, display_name, scope_id, created_by)
    values (${account.organizationId}, ${account.id}, 'Test account', 'here', 'test')`;
  await db.sql`
    insert into keyturn.credentials
      (organization_id, service_account_id, id, secret_hash, hint, created_by, created_at, expires_at)
    select ${account.organizationId}, ${account.id}, id, 'no-hash', 'hint', 'test', clock_timestamp(), 'infinity'
      from unnest(${db.sql.array(uses.filter((use) => use.account === account).map(({ id }) => id))}::text[]) id`;
}
