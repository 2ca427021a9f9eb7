import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, beforeEach, test } from "node:test";
import type postgres from "postgres";
import { makeSigningKey, openSigningKey } from "../../src/auth/signing-key.ts";
import type { NewSigningKey } from "../../src/domain/signing-key.ts";
import type { Database } from "../../src/storage/database.ts";
import { openSigningKeys, type SigningKeys } from "../../src/storage/signing-keys.ts";
import { sweepOnce } from "../../src/storage/sweeper.ts";
import { givenDatabase, type TestDatabase } from "../support/database.ts";
import { givenPool } from "../support/given-pool.ts";
import { searchFor } from "../support/secret-search.ts";
import {
  givenRing,
  KEY_AGE_SECONDS_MAX,
  kidsOf,
  only,
  type RingUnderTest,
  sealingKeys,
} from "../support/signing-keys.ts";

const TEN_MINUTES_MS = 600_000;

let db: TestDatabase;
let sql: postgres.Sql;
let pool: Database;
let signingKeys: SigningKeys;
before(async () => {
  db = await givenDatabase();
  sql = db.sql;
  pool = givenPool(db.serverUrl, 8);
  signingKeys = openSigningKeys(pool);
});
after(async () => {
  await pool.close(1_000);
  await db.drop();
});
beforeEach(() => sql`truncate keyturn.signing_keys`);

const signal = () => AbortSignal.timeout(60_000);

const newKey = (more: Partial<NewSigningKey> = {}): NewSigningKey => ({
  ...makeSigningKey(sealingKeys(1), randomBytes),
  ageSecondsMax: KEY_AGE_SECONDS_MAX,
  publishAheadSeconds: 600,
  ...more,
});

/** Makes every key as much older. */
const grow = (age: string) => sql`update keyturn.signing_keys set signs_from = signs_from - ${age}::interval`;

const storedKids = async () => (await signingKeys.list(signal())).keys.map(({ kid }) => kid);

test("without any key the database still tells its clock", async () => {
  const [before] = await sql<{ at: Date }[]>`select clock_timestamp() as at`;
  const { keys, readAt } = await signingKeys.list(signal());
  const [behind] = await sql<{ at: Date }[]>`select clock_timestamp() as at`;
  assert.deepEqual(keys, []);
  assert.ok(before && behind && before.at <= readAt && readAt <= behind.at);
});

test("a key comes back as it was added, with its public half beside it", async () => {
  const { publicJwk, ...key } = newKey();
  assert.equal(await signingKeys.add(signal(), { ...key, publicJwk }), true);
  const stored = only((await signingKeys.list(signal())).keys);
  assert.deepEqual([stored.kid, stored.sealedPrivateKey], [key.kid, key.sealedPrivateKey]);
  assert.equal(typeof openSigningKey(stored, sealingKeys(1)), "object");
  const [row] = await sql`select public_jwk from keyturn.signing_keys`;
  assert.deepEqual(row?.["public_jwk"], { ...publicJwk });
});

test("keys come in the order in which they sign", async () => {
  const added: string[] = [];
  for (let at = 0; at < 6; at++) {
    await grow("1 day");
    const key = newKey({ ageSecondsMax: 0 });
    await signingKeys.add(signal(), key);
    added.push(key.kid);
  }
  assert.deepEqual(await storedKids(), added);
});

test("of twenty servers that start at once one adds the first key, and all sign with it", async () => {
  const all = await Promise.all(Array.from({ length: 20 }, () => givenRing(signingKeys)));
  const kid = only(await storedKids());
  for (const { ring } of all) assert.equal(ring.current().kid, kid);
  assert.equal(all.flatMap(({ events }) => events.filter(({ kind }) => kind === "added")).length, 1);
});

async function givenServers(count: number): Promise<RingUnderTest[]> {
  const servers: RingUnderTest[] = [];
  for (let at = 0; at < count; at++) servers.push(await givenRing(signingKeys));
  return servers;
}

test("of eight servers that find the key too old at once one adds its successor, published before it signs", async () => {
  const servers = await givenServers(8);
  const old = only(await storedKids());
  await grow(`${KEY_AGE_SECONDS_MAX} seconds`);
  await Promise.all(servers.map(({ nextLoad }) => nextLoad()));
  const kids = await storedKids();
  assert.equal(kids.length, 2);
  for (const { ring } of servers) {
    assert.deepEqual(kidsOf(ring), kids);
    assert.equal(ring.current().kid, old);
  }
  await Promise.all(servers.map(({ nextLoad }) => nextLoad()));
  assert.equal((await storedKids()).length, 2, "the successor is new enough");
  for (const { clock, ring } of servers) {
    clock.advance(TEN_MINUTES_MS);
    assert.equal(ring.current().kid, kids[1]);
  }
});

test("the first key signs at once, the next one as much later as it is published ahead", async () => {
  await signingKeys.add(signal(), newKey());
  await signingKeys.add(signal(), newKey({ ageSecondsMax: 0 }));
  const { keys, readAt } = await signingKeys.list(signal());
  const [first, second] = keys.map(({ signsFrom }) => signsFrom.getTime() - readAt.getTime());
  assert.ok(first !== undefined && second !== undefined);
  assert.ok(first <= 0);
  assert.ok(second > 0 && second <= TEN_MINUTES_MS);
});

test("while a successor waits for its time no other is added, unless it must be", async () => {
  await signingKeys.add(signal(), newKey());
  assert.equal(await signingKeys.add(signal(), newKey({ ageSecondsMax: 0 })), true);
  assert.equal(await signingKeys.add(signal(), newKey({ ageSecondsMax: 0 })), false);
  const urgent = newKey({ ageSecondsMax: undefined, publishAheadSeconds: 0 });
  assert.equal(await signingKeys.add(signal(), urgent), true);
  const { ring } = await givenRing(signingKeys);
  assert.equal(ring.current().kid, urgent.kid);
  assert.equal(kidsOf(ring).length, 3);
});

test("an old key is swept 75 minutes after its successor signs, and not before", async () => {
  const { ring, nextLoad } = await givenRing(signingKeys);
  const old = ring.current().kid;
  await signingKeys.add(signal(), newKey({ ageSecondsMax: 0 }));
  await grow("10 minutes");
  await grow("74 minutes");
  await sweepOnce(pool, 1);
  assert.ok((await storedKids()).includes(old));
  await grow("2 minutes");
  assert.equal(await sweepOnce(pool, 1), 1);
  const kid = only(await storedKids());
  await nextLoad();
  assert.deepEqual(kidsOf(ring), [kid]);
  await grow("1000 days");
  assert.equal(await sweepOnce(pool, 1), 0, "the newest is never swept");
});

test("a withdrawn key is known to nobody after the next load", async () => {
  const { ring, nextLoad } = await givenRing(signingKeys);
  const { kid } = ring.current();
  await sql`delete from keyturn.signing_keys where kid = ${kid}`;
  await nextLoad();
  assert.equal(await ring.find(kid), undefined);
  assert.notEqual(ring.current().kid, kid);
});

test("a key that somebody has written into the table himself is neither published nor believed", async () => {
  const { ring, nextLoad } = await givenRing(signingKeys);
  const { kid } = ring.current();
  const forged = makeSigningKey(sealingKeys(66), randomBytes);
  await sql`
    insert into keyturn.signing_keys (kid, public_jwk, sealed_private_key, created_at, signs_from)
    values (${forged.kid}, ${sql.json({ ...forged.publicJwk })}, ${forged.sealedPrivateKey}, now(), now())`;
  await nextLoad();
  assert.deepEqual([ring.current().kid, kidsOf(ring)], [kid, [kid]]);
  assert.equal(await ring.find(forged.kid), undefined);
});

test("the private half is in no row, in no spelling", async () => {
  const { ring } = await givenRing(signingKeys);
  const { privateKey, publicJwk } = ring.current();
  const { d } = privateKey.export({ format: "jwk" });
  assert.ok(d !== undefined);
  const scalar = Buffer.from(d, "base64url");
  const rows = await sql<{ row: string }[]>`select k::text as row from keyturn.signing_keys k`;
  const dump = rows.map(({ row }) => row).join();
  const search = searchFor([d, scalar.toString("hex"), scalar.toString("latin1")]);
  assert.deepEqual(search.find(dump), []);
  assert.notDeepEqual(searchFor([publicJwk.x]).find(dump), [], "the search finds what is there");
});

test("the server's login can read the keys and add one, and write none itself", async () => {
  const attempt = async (statement: string) =>
    pool
      .run(signal(), (server) => server.unsafe(statement) as never)
      .then(
        () => "allowed",
        (err: { cause?: { code?: string } }) => err.cause?.code,
      );
  assert.equal(await attempt("select kid from keyturn.signing_keys"), "allowed");
  for (const statement of [
    "delete from keyturn.signing_keys",
    "update keyturn.signing_keys set signs_from = now()",
    "insert into keyturn.signing_keys select * from keyturn.signing_keys",
  ]) {
    assert.equal(await attempt(statement), "42501", statement);
  }
});
