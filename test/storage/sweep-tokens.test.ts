import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import type { Database } from "../../src/storage/database.ts";
import { sweepOnce } from "../../src/storage/sweeper.ts";
import { givenDatabase, type TestDatabase } from "../support/database.ts";
import { givenPool } from "../support/given-pool.ts";

let db: TestDatabase;
/** With the login of a server, which is who sweeps. */
let pool: Database;
before(async () => {
  db = await givenDatabase();
  pool = givenPool(db.serverUrl);
});
beforeEach(() => db.sql`truncate keyturn.revoked_tokens, keyturn.signing_keys`);
after(async () => {
  await pool.close(1_000);
  await db.drop();
});

const MINUTE = 60;
const HOUR = 3_600;

const sweep = () => sweepOnce(pool, 86_400);

async function givenRevoked(jti: string, expiredSecondsAgo: number): Promise<void> {
  await db.sql`
    insert into keyturn.revoked_tokens (organization_id, jti, expires_at)
    values ('org-1', ${jti}, clock_timestamp() - make_interval(secs => ${expiredSecondsAgo}))`;
}

async function givenKey(kid: string, signsSince: number): Promise<void> {
  await db.sql`
    insert into keyturn.signing_keys (kid, public_jwk, sealed_private_key, created_at, signs_from)
    values (${kid}, '{}', '\\x', clock_timestamp(),
            date_trunc('hour', clock_timestamp()) - make_interval(secs => ${signsSince}))`;
}

async function left(): Promise<string[]> {
  const rows = await db.sql<{ name: string }[]>`
    select jti as name from keyturn.revoked_tokens
     union all select kid from keyturn.signing_keys order by name`;
  return rows.map(({ name }) => name);
}

test("a revoked token is remembered until an hour after its end, for those whose clocks are behind", async () => {
  await givenRevoked("1-alive", -5 * MINUTE);
  await givenRevoked("2-just-over", 0);
  await givenRevoked("3-within-the-hour", HOUR - MINUTE);
  await givenRevoked("4-over", HOUR + MINUTE);
  await givenRevoked("5-long-over", 24 * HOUR);
  assert.equal(await sweep(), 2);
  assert.deepEqual(await left(), ["1-alive", "2-just-over", "3-within-the-hour"]);
});

test("a signing key is kept until every token that it can have signed is over, with an hour to spare", async () => {
  await givenKey("1-oldest", 99 * HOUR);
  // Ended when the next began: more than 75 minutes ago.
  await givenKey("2-older", 50 * HOUR);
  await givenKey("3-old", 3 * HOUR);
  // Ended within the last hour, at whatever minute this runs.
  await givenKey("4-last", 0);
  await givenKey("5-next", -2 * HOUR);
  assert.equal(await sweep(), 2);
  assert.deepEqual(await left(), ["3-old", "4-last", "5-next"]);
  assert.equal(await sweep(), 0);
});

test("the key that signs is kept however old it is, and so is the only one", async () => {
  await givenKey("1-signs", 1_000 * HOUR);
  await givenKey("2-next", -2 * HOUR);
  assert.equal(await sweep(), 0);
  await db.sql`delete from keyturn.signing_keys where kid = '2-next'`;
  assert.equal(await sweep(), 0);
  assert.deepEqual(await left(), ["1-signs"]);
});

test("of keys that began in the same millisecond the one that signs is kept: the last by its name", async () => {
  for (const kid of ["c", "a", "e", "b", "d"]) await givenKey(kid, 100 * HOUR);
  await sweep();
  assert.deepEqual(await left(), ["e"]);
});

test("sweeps of several replicas at once take everything once", async () => {
  for (let count = 0; count < 50; count += 1) await givenRevoked(`jti-${count}`, 2 * HOUR);
  for (let age = 100; age < 110; age += 1) await givenKey(`kid-${age}`, age * HOUR);
  const pools = [1, 2, 3, 4].map(() => givenPool(db.serverUrl));
  const swept = await Promise.all(pools.map((other) => sweepOnce(other, 86_400)));
  await Promise.all(pools.map((other) => other.close(1_000)));
  assert.equal(
    swept.reduce((sum, rows) => sum + rows, 0),
    59,
  );
  assert.deepEqual(await left(), ["kid-100"]);
});
