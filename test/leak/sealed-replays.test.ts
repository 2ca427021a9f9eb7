import assert from "node:assert/strict";
import { createSecretKey, hkdfSync, type KeyObject, randomBytes, randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import type postgres from "postgres";
import { CredentialService } from "../../gen/keyturn/v1/credential_service_pb.ts";
import { replayKey } from "../../src/auth/replay-seal.ts";
import { deriveKeys, type KeyRing, parseRootKeys } from "../../src/auth/root-keys.ts";
import { startCluster, type TestCluster } from "../support/cluster.ts";
import { givenAccount, type TestDatabase } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { givenKeyturn, ROOT_KEY, type TestKeyturn } from "../support/keyturn.ts";
import { type Heard, type RpcCaller, rpcCallersOf } from "../support/rpc-callers.ts";
import { searchFor } from "../support/secret-search.ts";

const { createCredential, rotateCredential } = CredentialService.method;
const SUBJECT = "user-admin-001";

let cluster: TestCluster;
let sql: postgres.Sql;
let h: TestKeyturn;
let callers: RpcCaller[];
let account: { readonly organizationId: string; readonly id: string };
/** What was issued under which request id. */
const issued: { readonly requestId: string; readonly id: string; readonly clientSecret: string }[] = [];

before(async () => {
  cluster = await startCluster({
    log_statement: "all",
    log_min_duration_statement: "0",
    log_error_verbosity: "verbose",
  });
  sql = cluster.connect();
  // The most that an operator could log, which is more than PostgreSQL does by itself.
  await sql`alter role keyturn_server set log_parameter_max_length = -1`;
  await sql`alter role keyturn_server set log_parameter_max_length_on_error = -1`;
  h = await givenKeyturn({ db: databaseOf(cluster) });
  callers = rpcCallersOf(h);
  account = await givenAccount(sql);
  for (const caller of callers) await createAndRotate(caller);
});
after(async () => {
  for (const caller of callers ?? []) caller.close();
  await h?.stop();
  await sql?.end({ timeout: 1 });
  await cluster?.stop();
});

test("with all that the database has, and the request id as well, no key but the server's opens a sealed secret", async () => {
  const replays = await sql<
    Replay[]
  >`select credential_id, request_hash, body_hash, sealed_secret from keyturn.replays`;
  assert.equal(replays.length, issued.length);
  for (const { requestId, id, clientSecret } of issued) {
    const sealed = replays.find((replay) => replay.credential_id === id)?.sealed_secret as Buffer;
    assert.equal(
      opened(requestId, sealed, id, rootKeys(ROOT_KEY)),
      clientSecret,
      "the server's key opens it",
    );
    for (const keys of keysOfAStranger(requestId, replays))
      assert.throws(() => opened(requestId, sealed, id, keys), /does not open/);
    // The server's key alone is not enough either: without the request id, or for somebody else, nothing opens.
    assert.throws(() => opened(randomUUID(), sealed, id, rootKeys(ROOT_KEY)), /does not open/);
    assert.throws(() => opened(requestId, sealed, id, rootKeys(ROOT_KEY), "user-2"), /does not open/);
    assert.throws(() => opened(requestId, sealed, `${id}x`, rootKeys(ROOT_KEY)), /does not open/);
  }
});

test("neither request ids nor secrets stand in a row of any table, in any spelling", async () => {
  const search = searchFor(needles());
  const tables = await sql<{ name: string }[]>`
    select quote_ident(schemaname) || '.' || quote_ident(tablename) as name from pg_tables where schemaname = 'keyturn'`;
  for (const { name } of [...tables, { name: "pg_stat_activity" }]) {
    const rows = await sql.unsafe(`select one::text as row from ${name} one`);
    assert.deepEqual(search.find(rows.map(({ row }) => row).join("\n")), [], name);
  }
});

test("neither request ids nor secrets stand in a line of the server's log, or of PostgreSQL's with every parameter", async () => {
  await sql.unsafe("select 'all of it'");
  await eventually(() => cluster.log().includes("select 'all of it'"));
  const search = searchFor(needles());
  assert.ok(h.log().includes("RotateCredential"), "the server logs");
  assert.deepEqual(search.find(h.log()), []);
  assert.ok(cluster.log().includes(issued[0]?.id as string), "PostgreSQL logs parameters");
  assert.deepEqual(search.find(cluster.log()), []);
});

test("a sealed secret that was tampered with fails the call with INTERNAL, and no secret leaves", async () => {
  const [caller] = callers as [RpcCaller];
  const other = issued[0];
  const one = await createAndRotate(caller);
  const replayOf = async (id: string) => {
    const [row] = await sql<Replay[]>`select * from keyturn.replays where credential_id = ${id}`;
    return row?.sealed_secret as Buffer;
  };
  const sealed = await replayOf(one.id);
  const foreign = await replayOf(other?.id as string);
  const flipped = (at: number) => sealed.map((byte, place) => (place === at ? byte ^ 1 : byte));
  for (const [what, bytes] of [
    ["first bit of the nonce", flipped(0)],
    ["a bit of the text", flipped(40)],
    ["last bit of the tag", flipped(sealed.length - 1)],
    ["cut", sealed.subarray(0, -1)],
    ["empty", Buffer.alloc(0)],
    ["longer", Buffer.concat([sealed, Buffer.alloc(1)])],
    ["another's", foreign],
    ["the secret itself", Buffer.from(one.clientSecret)],
  ] as const) {
    await sql`update keyturn.replays set sealed_secret = ${Buffer.from(bytes)} where credential_id = ${one.id}`;
    for (const at of callers) {
      const again = await call(at, createCredential, { requestId: one.requestId });
      assert.deepEqual([again.reason, again.body], ["INTERNAL", undefined], `${what} over ${at.door}`);
    }
  }
  await sql`update keyturn.replays set sealed_secret = ${sealed} where credential_id = ${one.id}`;
  const mended = await call(caller, createCredential, { requestId: one.requestId });
  assert.equal(mended.body.clientSecret, one.clientSecret);
  assert.deepEqual(searchFor(needles()).find(h.log()), []);
});

interface Replay {
  readonly credential_id: string;
  readonly request_hash: Buffer;
  readonly body_hash: Buffer;
  readonly sealed_secret: Buffer;
}

/** Issues two credentials of an account that has room, and remembers both. */
async function createAndRotate(caller: RpcCaller) {
  account = await givenAccount(sql, account.organizationId);
  const serviceAccountId = account.id;
  const create = { serviceAccountId, requestId: randomUUID() };
  const created = await call(caller, createCredential, create);
  const rotate = {
    serviceAccountId,
    requestId: randomUUID(),
    id: created.body.id,
    gracePeriod: { seconds: 60n },
  };
  const rotated = await call(caller, rotateCredential, rotate);
  const retry = await call(caller, rotateCredential, rotate);
  assert.equal(retry.body.clientSecret, rotated.body.clientSecret);
  const kept = { ...created.body, requestId: create.requestId };
  issued.push(kept, { ...rotated.body, requestId: rotate.requestId });
  return kept;
}

async function call(
  caller: RpcCaller,
  method: Parameters<RpcCaller["call"]>[0],
  req: object,
): Promise<Heard> {
  const token = await h.token(account.organizationId, { sub: SUBJECT });
  const headers = { authorization: `Bearer ${token}` };
  return caller.call(method, { serviceAccountId: account.id, ...req }, headers);
}

/** Random part, tag and checksum of each secret, and each request id in its written forms. */
const needles = (): string[] =>
  issued.flatMap(({ requestId, clientSecret }) => [
    clientSecret.slice(-60),
    requestId,
    requestId.toUpperCase(),
    requestId.replaceAll("-", ""),
  ]);

const rootKeys = (text: string): KeyRing => {
  const parsed = parseRootKeys(text);
  if ("problem" in parsed) throw new Error(parsed.problem);
  return deriveKeys(parsed.keys).replay;
};

/** What somebody might try who has a dump and a request id: what is there, and what a careless server might have taken. */
function keysOfAStranger(requestId: string, replays: readonly Replay[]): KeyRing[] {
  const guesses = [
    Buffer.alloc(0),
    Buffer.alloc(32),
    randomBytes(32),
    Buffer.from(requestId),
    ...replays.flatMap((replay) => [replay.request_hash, replay.body_hash]),
  ];
  const plain = guesses.map((guess): KeyRing => [createSecretKey(guess)]);
  const derived = guesses.map((guess): KeyRing => deriveKeys([asKey(guess)]).replay);
  return [...plain, ...derived];
}

const asKey = (bytes: Uint8Array): KeyObject =>
  createSecretKey(Buffer.from(hkdfSync("sha256", bytes, "", "", 32)));

function opened(requestId: string, sealed: Buffer, id: string, keys: KeyRing, subject = SUBJECT): string {
  const owner = [account.organizationId, h.issuer.url, subject];
  return replayKey({ requestId, owner, body: Buffer.alloc(0) }, { keys, randomBytes }).open(sealed, id);
}

const databaseOf = ({ serverUrl, superuserUrl }: TestCluster): TestDatabase => ({
  name: "keyturn",
  ownerUrl: superuserUrl,
  serverUrl,
  superuserUrl,
  sql,
  drop: async () => {},
});
