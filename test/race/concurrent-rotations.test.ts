import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CredentialService } from "../../gen/keyturn/v1/credential_service_pb.ts";

import { givenAccount } from "../support/database.ts";
import { type AccountName, liveCredentials, openedBy, watchLive } from "../support/live-credentials.ts";
import { type Heard, type RpcCaller, rpcCallersOf, secretsOf, tallyOf } from "../support/rpc-callers.ts";
import { givenTwoServers, type TwoServers } from "../support/two-servers.ts";

const CALLERS = 20;
const LIMIT = 5;
const { createCredential, rotateCredential, deleteCredential, listCredentials } = CredentialService.method;

let h: TwoServers;
let callers: RpcCaller[];

before(async () => {
  h = await givenTwoServers(40);
  callers = h.servers.flatMap(rpcCallersOf);
});
after(async () => {
  for (const caller of callers) caller.close();
  await h.stop();
});

test(`of ${CALLERS} rotations of one credential without a grace period one succeeds, and its secret alone is live`, async () => {
  for (let round = 0; round < 8; round += 1) {
    const account = await givenAccountWith(1);
    const [old] = account.ids;
    const heard = await atOnce(CALLERS, (caller) => rotate(caller, account, { id: old }));
    assert.deepEqual(tallyOf(heard), { "": 1, CREDENTIAL_NOT_ACTIVE: CALLERS - 1 });
    for (const { reason, metadata } of heard)
      if (reason !== "") assert.deepEqual(metadata, { status: "expired" });
    await assertAllOpen(account, secretsOf(heard), 1);
  }
});

test(`${CALLERS} rotations with a grace period fill an account to its limit and no further`, async () => {
  for (let round = 0; round < 8; round += 1) {
    const account = await givenAccountWith(3);
    const lookout = watchLive(h.db, account);
    // Shorter and shorter, so that a later one is not refused for bringing an end back that was brought forward.
    const heard = await atOnce(CALLERS, (caller, n) =>
      rotate(caller, account, { id: account.ids[n % 3], gracePeriod: { seconds: BigInt(3600 - n) } }),
    );
    const { liveMax } = await lookout.stop();
    assert.equal(liveMax, LIMIT);
    const { "": done, ...refused } = tallyOf(heard);
    assert.equal(done, LIMIT - 3);
    assert.deepEqual(
      Object.keys(refused).filter((reason) => !EXPECTED_WITH_GRACE.includes(reason)),
      [],
    );
    await assertAllOpen(account, [...account.secrets, ...secretsOf(heard)], LIMIT);
  }
});

const EXPECTED_WITH_GRACE = ["CREDENTIAL_LIMIT_REACHED", "GRACE_PERIOD_ABOVE_MAXIMUM"];

test("at the limit a rotation without a grace period succeeds, and with one it is refused like a create", async () => {
  const account = await givenAccountWith(LIMIT);
  const [oldest] = account.ids;
  const gracePeriod = { seconds: 60n };
  const refused = await atOnce(CALLERS, (caller, n) =>
    rotate(caller, account, { id: account.ids[n % LIMIT], gracePeriod }),
  );
  assert.deepEqual(tallyOf(refused), { CREDENTIAL_LIMIT_REACHED: CALLERS });
  for (const { metadata } of refused)
    assert.deepEqual(metadata, { limit: "5", active_count: "5", safest_to_delete: oldest });

  const rotated = await atOnce(LIMIT, (caller, n) => rotate(caller, account, { id: account.ids[n] }));
  assert.deepEqual(tallyOf(rotated), { "": LIMIT });
  await assertAllOpen(account, secretsOf(rotated), LIMIT);
});

test("32 callers that create, rotate and delete at random never leave more than five live, seen from outside", async (t) => {
  const account = await givenAccountWith(0);
  const lookout = watchLive(h.db, account);
  const everyone = await atOnce(32, (caller, n) => busily(caller, account, n));
  const { liveMax, looks } = await lookout.stop();
  assert.ok(liveMax <= LIMIT, `${liveMax} were live at once`);
  const heard = everyone.flat();
  const { "": done = 0, ...refused } = tallyOf(heard);
  assert.ok(done > 100, `${done} calls succeeded`);
  assert.deepEqual(
    Object.keys(refused).filter((reason) => !EXPECTED_IN_THE_MELEE.includes(reason)),
    [],
  );

  const live = await liveCredentials(h.db.sql, account);
  const kept = secretsOf(heard).filter((secret) => live.some(({ id }) => secret.includes(`_${id}_`)));
  await assertAllOpen(account, kept, live.length);
  t.diagnostic(`${done} of ${heard.length} calls succeeded, ${looks} looks saw ${liveMax} live at most`);
});

const EXPECTED_IN_THE_MELEE = [...EXPECTED_WITH_GRACE, "CREDENTIAL_NOT_ACTIVE", "NOT_FOUND"];
const TURNS = 24;

/** Looks which credentials there are, and does something to one of them or adds one. */
async function busily(caller: RpcCaller, account: AccountName, seed: number): Promise<Heard[]> {
  const heard: Heard[] = [];
  for (let turn = 0; turn < TURNS; turn += 1) {
    const { body } = await call(caller, listCredentials, account, { status: 1 });
    const ids = (body.credentials as { id: string }[]).map(({ id }) => id);
    const id = ids[(seed + turn) % Math.max(1, ids.length)];
    const what = (seed * 7 + turn * 3) % 5;
    if (id === undefined || what === 0) heard.push(await call(caller, createCredential, account, {}));
    else if (what === 1) heard.push(await call(caller, deleteCredential, account, { id }));
    else if (what === 2) heard.push(await rotate(caller, account, { id, gracePeriod: { nanos: 5_000_000 } }));
    else heard.push(await rotate(caller, account, { id }));
  }
  return heard;
}

interface FilledAccount extends AccountName {
  readonly ids: readonly string[];
  readonly secrets: readonly string[];
}

async function givenAccountWith(count: number): Promise<FilledAccount> {
  const account = await givenAccount(h.db.sql);
  const bodies = [];
  for (let n = 0; n < count; n += 1)
    bodies.push((await call(callers[0] as RpcCaller, createCredential, account, {})).body);
  return {
    ...account,
    ids: bodies.map(({ id }) => id),
    secrets: bodies.map(({ clientSecret }) => clientSecret),
  };
}

/** So many calls at the same time, spread over the doors of both servers. */
const atOnce = <T>(count: number, work: (caller: RpcCaller, n: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, n) => work(callers[n % callers.length] as RpcCaller, n)));

const rotate = (caller: RpcCaller, account: AccountName, req: object): Promise<Heard> =>
  call(caller, rotateCredential, account, req);

async function call(
  caller: RpcCaller,
  method: Parameters<RpcCaller["call"]>[0],
  { organizationId, id: serviceAccountId }: AccountName,
  req: object,
): Promise<Heard> {
  const authorization = `Bearer ${await h.servers[0].token(organizationId)}`;
  return caller.call(method, { serviceAccountId, ...req }, { authorization });
}

/** As many are live as said, and each of these secrets is one of them by its stored hash. */
async function assertAllOpen(
  account: AccountName,
  secrets: readonly string[],
  liveCount: number,
): Promise<void> {
  const live = await liveCredentials(h.db.sql, account);
  assert.equal(live.length, liveCount);
  assert.deepEqual((await openedBy(secrets, live)).sort(), live.map(({ id }) => id).sort());
}
