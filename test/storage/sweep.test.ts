import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, beforeEach, test } from "node:test";
import postgres from "postgres";
import { givenAccount, givenDatabase, type TestDatabase } from "../support/database.ts";
import type { Account } from "./create-call.ts";
import { givenCredential } from "./stored-credential.ts";

let db: TestDatabase;
/** The login of a server, which is who sweeps. */
let server: postgres.Sql;
/** Of one test: what another has left is gone. */
let account: Account;
before(async () => {
  db = await givenDatabase();
  server = postgres(db.serverUrl, { max: 1, onnotice: () => {} });
});
beforeEach(async () => {
  await db.sql`truncate keyturn.replays, keyturn.credentials cascade`;
  account = await givenAccount(db.sql);
});
after(async () => {
  await server.end();
  await db.drop();
});

const MINUTE = 60;
const DAY = 86_400;

async function sweep(rowsMax = 100, retentionSeconds = DAY): Promise<number> {
  const [row] = await server<{ swept: number }[]>`
    select keyturn.sweep(make_interval(secs => ${retentionSeconds}), ${rowsMax}) as swept`;
  return row?.swept ?? -1;
}

/** A request that may be repeated, with the sealed secret of its answer. */
async function givenReplay(ageSeconds: number): Promise<string> {
  const id = randomBytes(8).toString("hex");
  await db.sql`
    insert into keyturn.replays (organization_id, request_hash, body_hash, service_account_id, credential_id,
                                 sealed_secret, created_at)
    values (${account.organizationId}, ${Buffer.from(id)}, '\\x', ${account.id}, ${id}, 'sealed',
            clock_timestamp() - make_interval(secs => ${ageSeconds}))`;
  return id;
}

/** The replays that are left, and whether each still has its sealed secret. */
async function replaysLeft(): Promise<Record<string, boolean>> {
  const rows = await db.sql<{ id: string; sealed: boolean }[]>`
    select credential_id as id, sealed_secret is not null as sealed from keyturn.replays`;
  return Object.fromEntries(rows.map(({ id, sealed }) => [id, sealed]));
}

async function credentialsLeft(): Promise<string[]> {
  const rows = await db.sql<{ id: string }[]>`select id from keyturn.credentials order by id collate "C"`;
  return rows.map(({ id }) => id);
}

test("a sealed secret goes ten minutes after it was written, its replay stays", async () => {
  const fresh = await givenReplay(9 * MINUTE);
  const old = await givenReplay(10 * MINUTE + 1);
  assert.equal(await sweep(), 1);
  assert.deepEqual(await replaysLeft(), { [fresh]: true, [old]: false });
  assert.equal(await sweep(), 0);
});

test("a replay goes thirty days after it was written", async () => {
  const kept = await givenReplay(30 * DAY - MINUTE);
  await givenReplay(30 * DAY + 1);
  await sweep();
  assert.deepEqual(await replaysLeft(), { [kept]: false });
});

test("a tombstone goes once the operator's time for it is over, with the record of its use", async () => {
  const times = { ageSeconds: 10 * DAY };
  const kept = [
    await givenCredential(db.sql, account, { id: "cred-a", ...times, deletedSecondsAgo: DAY - MINUTE }),
    await givenCredential(db.sql, account, { id: "cred-b", ...times, usedSecondsAgo: 9 * DAY }),
    await givenCredential(db.sql, account, { id: "cred-c", ...times, remainingSeconds: -9 * DAY }),
  ];
  await givenCredential(db.sql, account, { ...times, deletedSecondsAgo: DAY + 1, usedSecondsAgo: 2 * DAY });
  assert.equal(await sweep(100, DAY), 1);
  assert.deepEqual(await credentialsLeft(), kept);
  const usage = await db.sql<{ id: string }[]>`select credential_id as id from keyturn.credential_usage`;
  assert.deepEqual(
    usage.map(({ id }) => id),
    ["cred-b"],
  );
});

test("a sweep takes no more of each kind than it is told, and the next ones take the rest", async () => {
  for (const _ of Array(5)) {
    await givenReplay(11 * MINUTE);
    await givenReplay(31 * DAY);
    await givenCredential(db.sql, account, { ageSeconds: 9 * DAY, deletedSecondsAgo: 8 * DAY });
  }
  assert.ok((await sweep(2)) <= 6);
  assert.ok(Object.keys(await replaysLeft()).length >= 8);
  assert.equal((await credentialsLeft()).length, 3);
  let sweeps = 1;
  while ((await sweep(2)) > 0) sweeps += 1;
  assert.ok(sweeps <= 5, `${sweeps} sweeps`);
  assert.deepEqual(Object.values(await replaysLeft()), Array(5).fill(false));
  assert.deepEqual(await credentialsLeft(), []);
});

test("a sweep waits for nobody: what another holds is left to the next one", async () => {
  const held = await givenReplay(31 * DAY);
  await givenReplay(31 * DAY);
  const heldCredential = await givenCredential(db.sql, account, {
    ageSeconds: 9 * DAY,
    deletedSecondsAgo: 8 * DAY,
  });
  await givenCredential(db.sql, account, { ageSeconds: 9 * DAY, deletedSecondsAgo: 8 * DAY });
  const holder = await db.sql.reserve();
  try {
    await holder`begin`;
    await holder`select from keyturn.replays where credential_id = ${held} for update`;
    await holder`select from keyturn.credentials where id = ${heldCredential} for update`;
    await server`set lock_timeout = 1`;
    await sweep();
  } finally {
    await holder`rollback`;
    holder.release();
  }
  assert.deepEqual(await replaysLeft(), { [held]: true });
  assert.deepEqual(await credentialsLeft(), [heldCredential]);
  await sweep();
  assert.deepEqual([await replaysLeft(), await credentialsLeft()], [{}, []]);
});
