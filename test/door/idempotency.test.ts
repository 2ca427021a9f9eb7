import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { CredentialService } from "../../gen/keyturn/v1/credential_service_pb.ts";
import { ServiceAccountService } from "../../gen/keyturn/v1/service_account_service_pb.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { type AccountName, liveCredentials, openedBy } from "../support/live-credentials.ts";
import { type Heard, overGrpc, type RpcCaller, rpcCallersOf } from "../support/rpc-callers.ts";
import { storedCount } from "../support/stored.ts";

const { createCredential, rotateCredential, deleteCredential } = CredentialService.method;
const { createServiceAccount, deleteServiceAccount } = ServiceAccountService.method;

let h: TestKeyturn;
let callers: RpcCaller[];
let caller: RpcCaller;

before(async () => {
  h = await givenKeyturn();
  caller = overGrpc(h);
  callers = [caller, ...rpcCallersOf(h)];
});
after(async () => {
  for (const one of callers) one.close();
  await h.stop();
});

test("a retry at whatever door gets the same answer, secret included, also when it spells its request id otherwise", async () => {
  const account = await h.givenAccount();
  const requestId = randomUUID();
  const { body: first } = await call(createCredential, account, { requestId, displayName: "one" });
  for (const at of callers) {
    for (const spelling of [requestId, requestId.toUpperCase()]) {
      const again = await call(createCredential, account, { requestId: spelling, displayName: "one" }, at);
      assert.deepEqual(again.body, first, at.door);
    }
  }
  const live = await liveCredentials(h.db.sql, account);
  assert.deepEqual(await openedBy([first.clientSecret], live), [first.id]);
  assert.equal(live.length, 1);
});

test("a request id that has served for another body, account or method is refused, and nothing is written", async () => {
  const account = await h.givenAccount();
  const other = await h.givenAccount(account.organizationId);
  const { body: old } = await call(createCredential, other, {});
  const requestId = randomUUID();
  const created = await call(createCredential, account, { requestId, labels: { team: "a" } });
  const others: [Method, AccountName, Record<string, unknown>][] = [
    [createCredential, account, {}],
    [createCredential, account, { labels: { team: "b" } }],
    [createCredential, account, { labels: { team: "a" }, displayName: "two" }],
    [createCredential, account, { labels: { team: "a" }, expiresAt: hence(3_600) }],
    [createCredential, account, { labels: { team: "a" }, notBefore: hence(3_600) }],
    [createCredential, other, { labels: { team: "a" } }],
    [rotateCredential, account, { id: created.body.id }],
    [rotateCredential, other, { id: old.id }],
  ];
  const before = await stored(account);
  for (const [method, target, req] of others) {
    const refused = await call(method, target, { ...req, requestId });
    assert.equal(refused.reason, "REQUEST_ID_REUSED", JSON.stringify(req, bigints));
  }
  assert.deepEqual(await stored(account), before);
});

test("a rotation under one request id is done once, and one of another credential, etag, grace or expiry is refused", async () => {
  const account = await h.givenAccount();
  const [one, two] = [await call(createCredential, account, {}), await call(createCredential, account, {})];
  const requestId = randomUUID();
  const req = { requestId, id: one.body.id, gracePeriod: { seconds: 60n } };
  const rotated = await call(rotateCredential, account, req);
  assert.deepEqual((await call(rotateCredential, account, req)).body, rotated.body);
  for (const change of [
    { id: two.body.id },
    { etag: rotated.body.replacedCredential.etag },
    { gracePeriod: { seconds: 61n } },
    { expiresAt: hence(3_600) },
  ]) {
    const refused = await call(rotateCredential, account, { ...req, ...change });
    assert.equal(refused.reason, "REQUEST_ID_REUSED", JSON.stringify(change, bigints));
  }
  assert.equal(await storedCount(h, account.id), 3);
});

test("after ten minutes a retry gets its credential without the secret, and one just before gets it", async () => {
  const account = await h.givenAccount();
  const req = { requestId: randomUUID() };
  const { body: first } = await call(createCredential, account, req);
  await age(account, "9 minutes");
  assert.equal((await call(createCredential, account, req)).body.clientSecret, first.clientSecret);
  await age(account, "1 minute");
  await assertWithoutSecret(account, createCredential, req, first);
});

test("after the first use of the credential a retry gets it without the secret", async () => {
  const account = await h.givenAccount();
  const req = { requestId: randomUUID() };
  const { body: first } = await call(createCredential, account, req);
  await h.db.sql`
    insert into keyturn.credential_usage
    values (${account.organizationId}, ${account.id}, ${first.id}, clock_timestamp(), '192.0.2.7')`;
  const again = await assertWithoutSecret(account, createCredential, req, first);
  assert.equal(again.lastUsedIp, "192.0.2.7");
});

test("a retry of a rotation after ten minutes shows both credentials, and no secret", async () => {
  const account = await h.givenAccount();
  const { body: old } = await call(createCredential, account, {});
  const req = { requestId: randomUUID(), id: old.id };
  const { body: first } = await call(rotateCredential, account, req);
  await age(account, "10 minutes");
  const again = await assertWithoutSecret(account, rotateCredential, req, first);
  assert.deepEqual(again.replacedCredential, first.replacedCredential);
});

test("after the credential was deleted a retry is NOT_FOUND, and issues none", async () => {
  const account = await h.givenAccount();
  const req = { requestId: randomUUID() };
  const { body: first } = await call(createCredential, account, req);
  await call(deleteCredential, account, { id: first.id });
  const again = await call(createCredential, account, req);
  assert.deepEqual([again.reason, again.body], ["NOT_FOUND", undefined]);
  assert.equal((await liveCredentials(h.db.sql, account)).length, 0);
  const [replay] = await h.db.sql`
    select sealed_secret from keyturn.replays where organization_id = ${account.organizationId}`;
  assert.equal(replay?.["sealed_secret"], null);
});

test("after its account was deleted and created anew a request id is a new request", async () => {
  const account = await h.givenAccount();
  const req = { requestId: randomUUID() };
  const { body: first } = await call(createCredential, account, req);
  await ask(account, deleteServiceAccount, { id: account.id });
  await ask(account, createServiceAccount, { id: account.id, displayName: "again" });
  const { body: second } = await call(createCredential, account, req);
  assert.notEqual(second.id, first.id);
  const live = await liveCredentials(h.db.sql, account);
  assert.deepEqual(await openedBy([second.clientSecret, first.clientSecret], live), [
    second.id,
    "secret 1 opens nothing",
  ]);
});

test("a refused call leaves its request id free for another try", async () => {
  const account = await h.givenAccount();
  const requestId = randomUUID();
  const refused = await call(createCredential, account, { requestId, expiresAt: hence(-60) });
  assert.equal(refused.reason, "EXPIRY_IN_PAST");
  const dry = await call(createCredential, account, { requestId, validateOnly: true });
  assert.deepEqual([dry.reason, dry.body.clientSecret], ["", undefined]);
  const created = await call(createCredential, account, { requestId });
  assert.equal(created.reason, "");
  assert.equal(await storedCount(h, account.id), 1);
});

test("a request id that the call's X-Request-Id has too, in whatever case, is refused at every door", async () => {
  const account = await h.givenAccount();
  const { body: old } = await call(createCredential, account, {});
  const before = await stored(account);
  for (const at of callers) {
    const requestId = randomUUID();
    for (const [method, req] of [
      [createCredential, {}],
      [rotateCredential, { id: old.id }],
    ] as const) {
      for (const spelling of [requestId, requestId.toUpperCase()]) {
        const headers = { "x-request-id": spelling };
        const refused = await call(method, account, { ...req, requestId }, at, headers);
        assert.equal(refused.reason, "INVALID_ARGUMENT", at.door);
      }
    }
  }
  assert.deepEqual(await stored(account), before);
});

type Method = Parameters<RpcCaller["call"]>[0];

const ask = async (
  { organizationId }: AccountName,
  method: Method,
  req: Record<string, unknown>,
  at = caller,
  headers: Readonly<Record<string, string>> = {},
): Promise<Heard> => {
  const authorization = `Bearer ${await h.token(organizationId)}`;
  return at.call(method, req, { ...headers, authorization });
};

const call = (
  method: Method,
  account: AccountName,
  req: object,
  at = caller,
  headers: Readonly<Record<string, string>> = {},
): Promise<Heard> => ask(account, method, { serviceAccountId: account.id, ...req }, at, headers);

const hence = (seconds: number) => ({ seconds: BigInt(Math.floor(Date.now() / 1000) + seconds) });

const bigints = (_key: string, value: unknown) => (typeof value === "bigint" ? Number(value) : value);

/** All that an organization has of credentials and replays. */
async function stored({ organizationId }: AccountName): Promise<unknown[]> {
  const rows = await h.db.sql`
    select to_jsonb(c) as row from keyturn.credentials c where c.organization_id = ${organizationId}
     union all select to_jsonb(r) from keyturn.replays r where r.organization_id = ${organizationId}
     order by row`;
  return [...rows];
}

async function age({ organizationId }: AccountName, by: string): Promise<void> {
  await h.db.sql`
    update keyturn.replays set created_at = created_at - ${by}::interval where organization_id = ${organizationId}`;
}

/** The answer to a retry that comes too late: the same credential, as it can be read, and no secret. */
async function assertWithoutSecret(account: AccountName, method: Method, req: object, first: { id: string }) {
  const { reason, body } = await call(method, account, req);
  assert.deepEqual([reason, body?.id, body?.clientSecret], ["", first.id, undefined]);
  assert.ok(body.hint && body.etag);
  return body;
}
