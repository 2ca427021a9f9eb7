import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { givenCredential } from "../storage/stored-credential.ts";
import { type Administrator, assertRefused, bodyOf, givenAdministrator } from "../support/administrator.ts";
import { overGrpcAs } from "../support/grpc-administrator.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";

let h: TestKeyturn;
let admin: Administrator;
before(async () => {
  h = await givenKeyturn();
  admin = await givenAdministrator(h);
});
after(() => h.stop());

let count = 0;

async function givenAccount(): Promise<{ readonly organizationId: string; readonly id: string }> {
  count += 1;
  const id = `sa-${count}`;
  bodyOf(await admin.post("/service-accounts", { id, displayName: "Account" }), 201);
  return { organizationId: admin.organizationId, id };
}

/** What a delete of it would take away. */
const tried = async (path: string) => bodyOf(await admin.delete(path, { validateOnly: true }));

test("a delete that is tried first says when the credential was last used, what would remain, and whether it is the last", async () => {
  const account = await givenAccount();
  const path = `/service-accounts/${account.id}/credentials`;
  const used = await givenCredential(h.db.sql, account, { usedSecondsAgo: 60 });
  const unused = await givenCredential(h.db.sql, account);
  const expired = await givenCredential(h.db.sql, account, { remainingSeconds: -10, usedSecondsAgo: 500 });
  await givenCredential(h.db.sql, account, { deletedSecondsAgo: 5 });

  const lastUse = bodyOf(await admin.get(`${path}/${used}`)).lastUsedAt;
  assert.deepEqual(await tried(`${path}/${used}`), {
    lastUsedAt: lastUse,
    remainingActiveCount: 1,
    lastActive: false,
  });
  assert.deepEqual(await tried(`${path}/${unused}`), { remainingActiveCount: 1, lastActive: false });
  const { lastUsedAt, ...rest } = await tried(`${path}/${expired}`);
  assert.deepEqual(rest, { remainingActiveCount: 2, lastActive: false });
  assert.ok(Date.parse(lastUsedAt) < Date.parse(lastUse));

  assert.equal((await admin.delete(`${path}/${unused}`)).status, 204);
  assert.deepEqual(await tried(`${path}/${used}`), {
    lastUsedAt: lastUse,
    remainingActiveCount: 0,
    lastActive: true,
  });
  // It is none that anybody could authenticate by.
  assert.equal((await admin.delete(`${path}/${used}`)).status, 204);
  assert.equal((await tried(`${path}/${expired}`)).lastActive, false);
});

test("a pending credential counts as one that remains, and a revoked one does not", async () => {
  const account = await givenAccount();
  const path = `/service-accounts/${account.id}`;
  const revoked = bodyOf(await admin.post(`${path}/credentials`), 201).id;
  bodyOf(await admin.post(`${path}:revokeCredentials`));
  const notBefore = new Date(Date.now() + 86_400_000).toISOString();
  const pending = bodyOf(await admin.post(`${path}/credentials`, { notBefore }), 201).id;
  const active = bodyOf(await admin.post(`${path}/credentials`), 201).id;
  const said = (id: string) => tried(`${path}/credentials/${id}`);
  assert.deepEqual(await said(active), { remainingActiveCount: 1, lastActive: false });
  assert.deepEqual(await said(pending), { remainingActiveCount: 1, lastActive: false });
  assert.deepEqual(await said(revoked), { remainingActiveCount: 2, lastActive: false });
});

test("a delete of an account that is tried first says when it was last used and what is active", async () => {
  const account = await givenAccount();
  const path = `/service-accounts/${account.id}`;
  assert.deepEqual(await tried(path), { activeCredentialCount: 0 });
  for (const usedSecondsAgo of [600, 60, 6000])
    await givenCredential(h.db.sql, account, { ageSeconds: 7000, usedSecondsAgo });
  const expired = await givenCredential(h.db.sql, account, { remainingSeconds: -1, usedSecondsAgo: 30 });
  const { lastUsedAt } = bodyOf(await admin.get(`${path}/credentials/${expired}`));
  assert.deepEqual(await tried(path), { lastUsedAt, activeCredentialCount: 3 });
});

test("over gRPC the real delete answers the same as the one that was tried", async (t) => {
  const grpc = overGrpcAs(admin, h);
  t.after(() => grpc.close());
  const account = await givenAccount();
  const id = await givenCredential(h.db.sql, account, { usedSecondsAgo: 60 });
  const target = { serviceAccountId: account.id, id };
  const dry = await grpc.credentials.deleteCredential({ ...target, validateOnly: true });
  assert.deepEqual(await grpc.credentials.deleteCredential(target), dry);
  assert.deepEqual(
    [dry.remainingActiveCount, dry.lastActive, dry.lastUsedAt === undefined],
    [0, true, false],
  );

  const whole = await grpc.accounts.deleteServiceAccount({ id: account.id, validateOnly: true });
  assert.deepEqual(await grpc.accounts.deleteServiceAccount({ id: account.id }), whole);
  assert.deepEqual([whole.activeCredentialCount, whole.lastUsedAt], [0, undefined]);
});

test("a deleted credential is gone for every call, and its place is free at once", async () => {
  const account = await givenAccount();
  const path = `/service-accounts/${account.id}/credentials`;
  const ids = [];
  for (let i = 0; i < 5; i += 1) ids.push(bodyOf(await admin.post(path), 201).id);
  const [doomed] = ids;
  assert.equal((await admin.post(path)).status, 409);
  const res = await admin.delete(`${path}/${doomed}`);
  assert.deepEqual([res.status, res.text], [204, ""]);
  bodyOf(await admin.post(path), 201);
  const gone = { reason: "NOT_FOUND", resource: `keyturn.dev/Credential/${doomed}` };
  assertRefused(await admin.get(`${path}/${doomed}`), 404, gone);
  assertRefused(await admin.delete(`${path}/${doomed}`), 404, gone);
  assertRefused(await admin.post(`${path}/${doomed}:rotate`), 404, gone);
  const listed = bodyOf(await admin.get(path)).credentials.map(({ id }: { id: string }) => id);
  assert.ok(listed.length === 5 && !listed.includes(doomed));
});
