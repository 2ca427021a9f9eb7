/** Who is told of credentials that expire soon: each of 30, 14, 7 and 1 days once, whoever asks and however often. */
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import postgres from "postgres";
import { givenAccount, givenDatabase, type TestDatabase } from "../support/database.ts";
import { type Account, callerOf, DAY_SECONDS, outcomeOf } from "./create-call.ts";
import { eventsOf, remove, wantEvents } from "./given-events.ts";
import { type CredentialTimes, givenCredential } from "./stored-credential.ts";

let db: TestDatabase;
let server: postgres.Sql;
let servers: postgres.Sql[] = [];
let account: Account;
before(async () => {
  db = await givenDatabase();
  servers = Array.from({ length: 8 }, () => postgres(db.serverUrl, { max: 1, onnotice: () => {} }));
  server = postgres(db.serverUrl, { max: 1, onnotice: () => {} });
});
beforeEach(async () => {
  await db.sql`truncate keyturn.events, keyturn.expiry_notices, keyturn.credentials cascade`;
  await wantEvents(db.sql);
  await tell();
  account = await givenAccount(db.sql);
});
after(async () => {
  await Promise.all([server, ...servers].map((one) => one.end()));
  await db.drop();
});

async function tell(by = server, rowsMax = 100): Promise<number> {
  const [row] = await by`select keyturn.tell_expiring_credentials(${rowsMax}) as count`;
  return row?.["count"];
}

/** Lets so much time pass, by moving what there is into the past instead. */
async function pass(days: number): Promise<void> {
  const by = `${days} days`;
  await db.sql`update keyturn.credentials set created_at = created_at - ${by}::interval, expires_at = expires_at - ${by}::interval`;
  await db.sql`update keyturn.expiry_notices set told_expires_at = told_expires_at - ${by}::interval`;
}

const DAYS = DAY_SECONDS;
const issue = (remainingDays: number, times: CredentialTimes = {}, of = account) =>
  givenCredential(db.sql, of, { ageSeconds: 60, remainingSeconds: remainingDays * DAYS, ...times });

/** What was told, as `id days`. */
const told = async () =>
  (await eventsOf(db.sql, account)).map(({ type, credential_id, data }) => {
    assert.equal(type, "credential.expiring");
    return `${credential_id} ${data.days_left}`;
  });

test("each number of days is told once as it comes, and what the event says is the credential's", async () => {
  const id = await issue(40);
  const heard: string[][] = [];
  for (const days of [5, 6, 10, 10, 3, 3, 2.5]) {
    await pass(days);
    await tell();
    await tell();
    heard.push(await told());
  }
  const all = [`${id} 30`, `${id} 14`, `${id} 7`, `${id} 1`];
  assert.deepEqual(
    heard.map(({ length }) => length),
    [0, 1, 1, 2, 3, 3, 4],
  );
  assert.deepEqual(heard.at(-1), all);
  const [event] = await eventsOf(db.sql, account);
  assert.ok(event?.data.expires_at && event.service_account_id === account.id);
  await pass(10);
  await tell();
  assert.deepEqual(await told(), all, "what has expired is not told again");
});

test("eight servers that tell at the same moment, each several times, tell each once", async () => {
  const ids = await Promise.all(
    Array.from({ length: 40 }, async (_, n) =>
      issue(10 + n / 100, {}, await givenAccount(db.sql, account.organizationId)),
    ),
  );
  await pass(4);
  for (let round = 0; round < 5; round += 1) await Promise.all(servers.map((one) => tell(one, 7)));
  assert.deepEqual((await told()).sort(), ids.map((id) => `${id} 7`).sort());
});

test("so many are looked at in one statement, and the next one goes on from there, also among those of one instant", async () => {
  const ids = await Promise.all(Array.from({ length: 25 }, () => issue(10)));
  await db.sql`update keyturn.credentials set expires_at = (select min(expires_at) from keyturn.credentials)`;
  await pass(4);
  const looked = [];
  for (let round = 0; round < 4; round += 1) looked.push(await tell(server, 10));
  assert.deepEqual(looked, [10, 10, 5, 0]);
  assert.deepEqual((await told()).sort(), ids.map((id) => `${id} 7`).sort());
});

test("who has little time from the start is not told of it, and whose end is brought forward is told what is left", async () => {
  await issue(20);
  await issue(1 - 1e-6, { ageSeconds: 0 });
  const replaced = await issue(200, { ageSeconds: 100 * DAYS });
  await pass(0.01);
  await tell();
  assert.deepEqual(await told(), []);
  await db.sql`update keyturn.credentials set expires_at = clock_timestamp() + interval '3 days' where id = ${replaced}`;
  await tell();
  assert.deepEqual(await told(), []);
  await pass(2.5);
  await tell();
  assert.deepEqual(await told(), [`${replaced} 1`]);
});

test("when nobody has told for weeks, the last number of days that has passed counts", async () => {
  const id = await issue(60);
  await pass(55);
  await tell();
  assert.deepEqual(await told(), [`${id} 7`]);
});

test("what was deleted, revoked or turned in is not told of", async () => {
  const [deleted, leaked, left] = [await issue(8), await issue(8), await issue(8)];
  const caller = callerOf(db.sql, account);
  await remove(db.sql, account, deleted);
  await outcomeOf(db.sql, db.sql`keyturn.report_leaked_credential(${caller}, ${account.id}, ${leaked})`);
  await db.sql`delete from keyturn.events`;
  await pass(2);
  const holder = await db.sql.reserve();
  await holder`begin`;
  await holder`select from keyturn.service_accounts where id = ${account.id} for no key update`;
  assert.equal(await tell(), 0, "while somebody holds the account, nobody waits for it");
  await holder`rollback`;
  holder.release();
  await tell();
  assert.deepEqual(await told(), [`${left} 7`]);
  await outcomeOf(db.sql, db.sql`keyturn.revoke_service_account_credentials(${caller}, ${account.id})`);
  await db.sql`delete from keyturn.events`;
  await pass(5.5);
  await tell();
  assert.deepEqual(await told(), []);
});
