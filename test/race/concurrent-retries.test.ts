import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { CredentialService } from "../../gen/keyturn/v1/credential_service_pb.ts";
import { givenAccount } from "../support/database.ts";
import { type AccountName, liveCredentials, openedBy } from "../support/live-credentials.ts";
import { type Heard, type RpcCaller, rpcCallersOf, secretsOf, tallyOf } from "../support/rpc-callers.ts";
import { givenTwoServers, type TwoServers } from "../support/two-servers.ts";

const CALLERS = 50;
const { createCredential, rotateCredential } = CredentialService.method;

let h: TwoServers;
let callers: RpcCaller[];

before(async () => {
  h = await givenTwoServers(CALLERS);
  callers = h.servers.flatMap(rpcCallersOf);
});
after(async () => {
  for (const caller of callers) caller.close();
  await h.stop();
});

test(`${CALLERS} creates with one request id, over two servers and all doors, are one create with ${CALLERS} equal answers`, async () => {
  const account = await givenAccount(h.db.sql);
  const requestId = randomUUID();
  const req = { requestId, displayName: "deploy", labels: { team: "payments", env: "prod" } };
  const heard = await atOnce(CALLERS, (caller) => call(caller, createCredential, account, req));
  assert.deepEqual(tallyOf(heard), { "": CALLERS });
  await assertOneAnswer(account, heard, 1);
  assert.equal(await eventCount(account, "credential.create"), 1);
});

test(`${CALLERS} rotations with one request id are one rotation with ${CALLERS} equal answers`, async () => {
  for (const gracePeriod of [undefined, { seconds: 600n }]) {
    const account = await givenAccount(h.db.sql);
    const { body: old } = await call(callers[0] as RpcCaller, createCredential, account, {});
    const req = { id: old.id, requestId: randomUUID(), gracePeriod };
    const heard = await atOnce(CALLERS, (caller) => call(caller, rotateCredential, account, req));
    assert.deepEqual(tallyOf(heard), { "": CALLERS });
    await assertOneAnswer(account, heard, gracePeriod === undefined ? 1 : 2);
    for (const { body } of heard) assert.equal(body.replacedCredential.id, old.id);
    assert.equal(await eventCount(account, "credential.rotate"), 1);
  }
});

test("of two bodies under one request id at the same time one is issued, and the other writes nothing", async () => {
  for (let round = 0; round < 10; round += 1) {
    const account = await givenAccount(h.db.sql);
    const requestId = randomUUID();
    const heard = await atOnce(10, (caller, n) =>
      call(caller, createCredential, account, { requestId, displayName: n % 2 === 0 ? "even" : "odd" }),
    );
    assert.deepEqual(tallyOf(heard), { "": 5, REQUEST_ID_REUSED: 5 });
    await assertOneAnswer(account, heard, 1);
  }
});

test("of two accounts that one request id names at the same time exactly one gets the credential", async () => {
  for (let round = 0; round < 20; round += 1) {
    const one = await givenAccount(h.db.sql);
    const other = await givenAccount(h.db.sql, one.organizationId);
    const requestId = randomUUID();
    const heard = await atOnce(2, (caller, n) =>
      call(caller, createCredential, n === 0 ? one : other, { requestId }),
    );
    assert.deepEqual(tallyOf(heard), { "": 1, REQUEST_ID_REUSED: 1 });
    const live = await Promise.all([one, other].map((account) => liveCredentials(h.db.sql, account)));
    assert.deepEqual(
      live.flat().map(({ id }) => id),
      heard.flatMap(({ body }) => (body === undefined ? [] : [body.id])),
    );
    assert.equal(await replayCount(one.organizationId), 1);
  }
});

test("a rotation whose request id serves another account at the same time leaves its own credential as it was", async () => {
  for (let round = 0; round < 10; round += 1) {
    const one = await givenAccount(h.db.sql);
    const accounts = [one, await givenAccount(h.db.sql, one.organizationId)] as const;
    const olds = await atOnce(2, (caller, n) => call(caller, createCredential, accounts[n] ?? one, {}));
    const requestId = randomUUID();
    const heard = await atOnce(2, (caller, n) =>
      call(caller, rotateCredential, accounts[n] ?? one, { requestId, id: olds[n]?.body.id }),
    );
    assert.deepEqual(tallyOf(heard), { "": 1, REQUEST_ID_REUSED: 1 });
    for (const [n, account] of accounts.entries()) {
      const live = await liveCredentials(h.db.sql, account);
      const remaining = heard[n]?.body ?? olds[n]?.body;
      assert.deepEqual(
        live.map(({ id }) => id),
        [remaining.id],
      );
    }
  }
});

test("other subjects under the same request id are other requests, at the same time too", async () => {
  const account = await givenAccount(h.db.sql);
  const requestId = randomUUID();
  const heard = await atOnce(20, (caller, n) =>
    call(caller, createCredential, account, { requestId }, `user-${n % 4}`),
  );
  assert.deepEqual(tallyOf(heard), { "": 20 });
  const live = await liveCredentials(h.db.sql, account);
  assert.deepEqual([...new Set(heard.map(({ body }) => body.id))].sort(), live.map(({ id }) => id).sort());
  assert.equal(live.length, 4);
  for (const [n, { body }] of heard.entries()) assert.equal(body.createdBy, `user-${n % 4}`);
});

/** Those who got an answer got one and the same, its secret is live, and there is no other credential but so many. */
async function assertOneAnswer(
  account: AccountName,
  heard: readonly Heard[],
  liveCount: number,
): Promise<void> {
  const [first, ...others] = heard.flatMap(({ body }) => (body === undefined ? [] : [body]));
  for (const other of others) assert.deepEqual(other, first);
  const live = await liveCredentials(h.db.sql, account);
  assert.equal(live.length, liveCount);
  assert.deepEqual(await openedBy(secretsOf([{ reason: "", metadata: {}, body: first }]), live), [first.id]);
  assert.equal(await replayCount(account.organizationId), 1);
}

/** So many calls at the same time, spread over the doors of both servers. */
const atOnce = <T>(count: number, work: (caller: RpcCaller, n: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, n) => work(callers[n % callers.length] as RpcCaller, n)));

async function call(
  caller: RpcCaller,
  method: Parameters<RpcCaller["call"]>[0],
  { organizationId, id: serviceAccountId }: AccountName,
  req: object,
  sub = "user-admin-001",
): Promise<Heard> {
  const authorization = `Bearer ${await h.servers[0].token(organizationId, { sub })}`;
  return caller.call(method, { serviceAccountId, ...req }, { authorization });
}

async function replayCount(organizationId: string): Promise<number> {
  const rows = await h.db.sql`select from keyturn.replays where organization_id = ${organizationId}`;
  return rows.length;
}

async function eventCount({ organizationId, id }: AccountName, action: string): Promise<number> {
  const rows = await h.db.sql`
    select from keyturn.audit_events
     where organization_id = ${organizationId} and service_account_id = ${id} and action = ${action}
       and outcome = 'succeeded'`;
  return rows.length;
}
