import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import postgres from "postgres";
import { givenAccount, givenDatabase, type TestDatabase } from "../support/database.ts";
import type { Account } from "./create-call.ts";
import { eventsOf, wantEvents } from "./given-events.ts";
import { givenCredential } from "./stored-credential.ts";

let db: TestDatabase;
let server: postgres.Sql;
let servers: postgres.Sql[] = [];
before(async () => {
  db = await givenDatabase();
  servers = Array.from({ length: 8 }, () => postgres(db.serverUrl, { max: 1, onnotice: () => {} }));
  server = postgres(db.serverUrl, { max: 1, onnotice: () => {} });
  await wantEvents(db.sql);
});
after(async () => {
  await Promise.all([server, ...servers].map((one) => one.end()));
  await db.drop();
});

const tell = (by = server) => by`select keyturn.tell_refused_uses(100)`;

/** The right secret of a credential is refused so many times, the last of them so long ago. */
async function refuse(account: Account, id: string, count: number, minutesAgo = 0): Promise<void> {
  const use = {
    organization_id: account.organizationId,
    service_account_id: account.id,
    credential_id: id,
    refused_at: new Date(Date.now() - minutesAgo * 60_000),
    refused_reason: "expired",
    refused_ip: "203.0.113.7",
    refused_user_agent: "curl/8",
    refused_count: count,
    use_count: 0,
  };
  await db.sql`select keyturn.record_uses(${db.sql.json([use])})`;
}

/** Lets time pass for what was told of a credential. */
const passMinutes = (id: string, minutes: number) => db.sql`
  update keyturn.credential_usage set refused_told_at = refused_told_at - make_interval(mins => ${minutes}),
         last_refused_at = last_refused_at - make_interval(mins => ${minutes}) where credential_id = ${id}`;

test("refused uses of a secret that holds no more come together in one event an hour", async () => {
  const account = await givenAccount(db.sql);
  const id = await givenCredential(db.sql, account, { remainingSeconds: -1 });
  await refuse(account, id, 3);
  await refuse(account, id, 4);
  await Promise.all(servers.map((one) => tell(one)));
  await refuse(account, id, 5);
  await tell();
  const [first, ...more] = await eventsOf(db.sql, account);
  assert.deepEqual(more, []);
  const { last_refused_at, ...data } = first?.data ?? {};
  assert.ok(last_refused_at);
  assert.deepEqual(
    [first?.type, first?.credential_id, data],
    [
      "credential.refused_use",
      id,
      {
        reason: "expired",
        refused_count: 7,
        last_refused_ip: "203.0.113.7",
        last_refused_user_agent: "curl/8",
      },
    ],
  );
  await passMinutes(id, 61);
  await tell();
  await tell();
  const [, second, ...others] = await eventsOf(db.sql, account);
  assert.deepEqual([second?.data.refused_count, others], [12, []]);
});

test("a use that was allowed is not told, nor a refused one of yesterday, nor while somebody holds the account", async () => {
  const account = await givenAccount(db.sql);
  await givenCredential(db.sql, account, { usedSecondsAgo: 1 });
  await refuse(account, await givenCredential(db.sql, account), 1, 25 * 60);
  await tell();
  assert.deepEqual([...(await eventsOf(db.sql, account))], []);
  await refuse(account, await givenCredential(db.sql, account), 1);
  const holder = await db.sql.reserve();
  await holder`begin`;
  await holder`select from keyturn.service_accounts where id = ${account.id} for no key update`;
  await tell();
  await holder`rollback`;
  holder.release();
  assert.deepEqual([...(await eventsOf(db.sql, account))], []);
  await tell();
  assert.equal((await eventsOf(db.sql, account)).length, 1);
});
