/** The outbox: what is written into it, and in which order it comes out. */
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import postgres from "postgres";
import { openOutbox } from "../../src/storage/outbox.ts";
import { givenAccount, givenDatabase, type TestDatabase } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { givenPool } from "../support/given-pool.ts";
import { type Account, boundsOf, callCreate, callerOf, newOf, outcomeOf } from "./create-call.ts";
import { accept, claim, create, eventsOf, postpone, remove, wantEvents } from "./given-events.ts";

let db: TestDatabase;
/** With the login of a server. */
let server: postgres.Sql;
let account: Account;
before(async () => {
  db = await givenDatabase();
  server = postgres(db.serverUrl, { max: 1, onnotice: () => {} });
});
beforeEach(async () => {
  await db.sql`truncate keyturn.events, keyturn.event_delivery`;
  await wantEvents(server);
  account = await givenAccount(db.sql);
});
after(async () => {
  await server.end();
  await db.drop();
});

test("nothing is written while no server has a webhook, and again once none has had one for too long", async () => {
  await db.sql`truncate keyturn.event_delivery`;
  await create(server, account, 1);
  assert.deepEqual([...(await eventsOf(db.sql, account))], []);
  await wantEvents(server);
  await create(server, account, 1);
  assert.equal((await eventsOf(db.sql, account)).length, 1);
  await db.sql`update keyturn.event_delivery set wanted_until = clock_timestamp() - interval '1 second'`;
  await create(server, account, 1);
  assert.equal((await eventsOf(db.sql, account)).length, 1);
});

test("servers that have a webhook say so again and again, and write that once a day", async () => {
  const version = async () => (await db.sql`select xmin::text from keyturn.event_delivery`)[0]?.["xmin"];
  const first = await version();
  await wantEvents(server);
  assert.equal(await version(), first);
  await db.sql`update keyturn.event_delivery set wanted_until = wanted_until - interval '25 hours'`;
  const aged = await version();
  await wantEvents(server);
  assert.notEqual(await version(), aged);
});

test("every mutation that was done writes its event, in its own statement, and none else does", async () => {
  const caller = callerOf(server, account);
  const [id, other] = await create(server, account, 2);
  const dryRun = callerOf(server, account, { validateOnly: true });
  await callCreate(server, account, { validateOnly: true });
  await callCreate(server, account, { activeMax: 1 });
  await callCreate(server, { ...account, id: "sa-unknown" });
  await outcomeOf(server, server`keyturn.delete_credential(${dryRun}, ${account.id}, ${id ?? ""}, null)`);
  await outcomeOf(
    server,
    server`keyturn.rotate_credential(
    ${caller}, ${boundsOf(server)}, ${account.id}, ${id ?? ""}, null, interval '1 hour', ${newOf(server)},
    row(null, null, null)::keyturn.replay_claim)`,
  );
  await outcomeOf(server, server`keyturn.report_leaked_credential(${caller}, ${account.id}, ${other ?? ""})`);
  await outcomeOf(server, server`keyturn.report_leaked_credential(${caller}, ${account.id}, ${other ?? ""})`);
  await remove(server, account, other ?? "");
  await outcomeOf(server, server`keyturn.revoke_service_account_credentials(${caller}, ${account.id})`);
  await outcomeOf(
    server,
    server`keyturn.update_service_account(${caller}, ${account.id}, null, '{"status":"disabled"}')`,
  );
  await outcomeOf(
    server,
    server`keyturn.update_credential_policy(${caller}, ${boundsOf(server)}, null, '{}')`,
  );
  await outcomeOf(server, server`keyturn.revoke_organization_credentials(${caller}, ${[account.id]})`);
  await outcomeOf(
    server,
    server`keyturn.create_service_account(${caller}, 'sa-new', 'New', null, 'organization', 'x', ${["a"]})`,
  );
  await outcomeOf(server, server`keyturn.delete_service_account(${caller}, 'sa-new', null)`);
  const told = await eventsOf(db.sql, account);
  assert.deepEqual(
    told.map(({ type, service_account_id, credential_id }) => [
      type,
      service_account_id,
      credential_id !== null,
    ]),
    [
      ["credential.created", account.id, true],
      ["credential.created", account.id, true],
      ["credential.rotated", account.id, true],
      ["credential.leaked", account.id, true],
      ["credential.deleted", account.id, true],
      ["credential.revoked", account.id, false],
      ["service_account.updated", account.id, false],
      ["credential.revoked", null, false],
      ["service_account.created", "sa-new", false],
      ["service_account.deleted", "sa-new", false],
    ],
  );
  const [created, , rotated, leaked, , , updated, revoked] = told.map(({ data }) => data);
  const actor = { issuer: "https://issuer.example", subject: "user-admin-001" };
  assert.deepEqual(created, { actor, request_id: "request-1", expires_at: created.expires_at });
  assert.equal(rotated.replaced_credential_id, id);
  assert.equal(leaked.status, "active");
  assert.deepEqual([updated.status, updated.changed_fields], ["disabled", ["status"]]);
  assert.deepEqual(revoked.exempt_service_account_ids, [account.id]);
});

test("operators who suspend, resume and delete an organization are told of too", async () => {
  for (const status of ["suspended", "active", "deleted"])
    await db.sql`select keyturn.set_organization_status(${account.organizationId}, ${status})`;
  const told = await eventsOf(db.sql, account);
  assert.deepEqual(
    told.map(({ type }) => type),
    ["organization.suspended", "organization.resumed", "organization.deleted"],
  );
});

test("no event has a hash, nor a character of a secret", async () => {
  const secretHash = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g";
  const id = "cred-0123456789abcdefghjk";
  await callCreate(server, account, { credentialId: id, secretHash });
  await remove(server, account, id);
  for (const { data } of await eventsOf(db.sql, account))
    assert.doesNotMatch(JSON.stringify(data), /argon2|aGFzaGhhc2g|hint|hash|secret/i);
});

test("the first event of each account is due, and each of the others when the one before it was accepted", async () => {
  const another = await givenAccount(db.sql, account.organizationId);
  await create(server, account, 3);
  await create(server, another, 2);
  const claimed = await claim(server);
  assert.deepEqual(
    claimed.map(({ service_account_id, attempts }) => [service_account_id, attempts]).sort(),
    [
      [account.id, 1],
      [another.id, 1],
    ].sort(),
  );
  assert.deepEqual([...(await claim(server))], [], "who holds the first of a queue holds the queue");
  const first = claimed.find(({ service_account_id }) => service_account_id === account.id);
  const [second, ...more] = await accept(server, first);
  assert.deepEqual([second?.attempts, more], [1, []]);
  assert.ok(Number(second?.sequence) > Number(first?.sequence));
  assert.deepEqual([...(await accept(server, first))], [], "accepted twice, by two senders");
  const [third] = await accept(server, second, null);
  assert.deepEqual(
    (await claim(server)).map(({ sequence, attempts }) => [sequence, attempts]),
    [[third?.sequence, 1]],
  );
  assert.deepEqual([...(await accept(server, third))], []);
});

test("one that was not accepted comes back after its delay, and one whose sender never came back after its hold", async () => {
  await create(server, account, 2);
  const [event] = await claim(server);
  await postpone(server, event, "1 hour");
  assert.deepEqual([...(await claim(server))], []);
  await postpone(server, event, "0 seconds");
  const [again] = await eventually(async () => {
    const claimed = await claim(server, 100, "1 millisecond");
    return claimed.length > 0 ? claimed : undefined;
  });
  assert.deepEqual([again?.sequence, again?.attempts], [event?.sequence, 2]);
  await delay(5);
  const [taken] = await claim(server);
  assert.deepEqual([taken?.sequence, taken?.attempts], [event?.sequence, 3]);
  await postpone(server, again, "0 seconds");
  assert.deepEqual([...(await claim(server))], [], "whoever has lost it puts nothing off");
});

/** Runs `work` in a transaction that is held open until the returned function is called. */
async function held(work: (sql: postgres.Sql) => Promise<unknown>): Promise<() => Promise<void>> {
  const holder = postgres(db.superuserUrl, { max: 1, onnotice: () => {} });
  await holder`begin`;
  await work(holder);
  return async () => {
    await holder`commit`;
    await holder.end();
  };
}

async function untilSomebodyWaits(): Promise<void> {
  await eventually(async () => {
    const waiting = await db.sql`
      select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    return waiting.length > 0 ? true : undefined;
  });
}

test("an event that is written while the last one is being accepted is due all the same, whoever comes first", async () => {
  await create(server, account, 1);
  const [first] = await claim(server);
  const commitCreate = await held((sql) => create(sql, account, 1));
  const accepted = accept(server, first, null).then((rows) => rows);
  await untilSomebodyWaits();
  await commitCreate();
  assert.equal((await accepted).length, 1);
  const [second] = await claim(server);
  assert.ok(second);

  const commitAccept = await held((sql) => accept(sql, second, null));
  const created = create(server, account, 1).then((ids) => ids);
  await untilSomebodyWaits();
  await commitAccept();
  const [id] = await created;
  assert.equal((await claim(server))[0]?.credential_id, id);
});

test("events that nobody has accepted for two weeks are given up, so many at a time, and their queues go on", async () => {
  const another = await givenAccount(db.sql, account.organizationId);
  const [, , last] = await create(server, account, 3);
  await create(server, another, 1);
  await db.sql`
    update keyturn.events set occurred_at = occurred_at - interval '15 days'
     where service_account_id = ${account.id} and credential_id <> ${last ?? ""}`;
  const giveUp = async (rowsMax: number) =>
    (await server`select keyturn.give_up_events('14 days', ${rowsMax}) as count`)[0]?.["count"];
  assert.deepEqual([await giveUp(1), await giveUp(10), await giveUp(10)], [1, 1, 0]);
  const due = (await claim(server)).map(({ service_account_id }) => service_account_id).sort();
  assert.deepEqual(due, [account.id, another.id].sort());
});

test("the backlog says how many wait, and how old the oldest is", async () => {
  const pool = givenPool(db.serverUrl, 1);
  try {
    const outbox = openOutbox(pool);
    assert.deepEqual(await outbox.backlog(), { count: 0, oldestAgeSeconds: 0 });
    await create(server, account, 3);
    await db.sql`
      update keyturn.events set occurred_at = occurred_at - interval '1 hour'
       where sequence = (select min(sequence) from keyturn.events)`;
    const { count, oldestAgeSeconds } = await outbox.backlog();
    assert.equal(count, 3);
    assert.ok(oldestAgeSeconds >= 3_600 && oldestAgeSeconds < 3_700, `${oldestAgeSeconds}`);
  } finally {
    await pool.close(1_000);
  }
});
