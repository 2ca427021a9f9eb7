import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { givenCredential } from "../storage/stored-credential.ts";
import { type Administrator, assertRefused, bodyOf, givenAdministrator } from "../support/administrator.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";

let h: TestKeyturn;
before(async () => {
  h = await givenKeyturn();
});
after(() => h.stop());

const PATH = "/credential-policy";
const CREDENTIALS = "/service-accounts/sa-1/credentials";
const DAY = 86_400;

/** An organization with one account. */
async function givenOwn(): Promise<Administrator> {
  const admin = await givenAdministrator(h);
  bodyOf(await admin.post("/service-accounts", { id: "sa-1", displayName: "Account" }), 201);
  return admin;
}

const create = async (admin: Administrator, body: object = {}) =>
  bodyOf(await admin.post(CREDENTIALS, body), 201);

const lifetimeOf = ({ expiresAt, createdAt }: { expiresAt: string; createdAt: string }): number =>
  (Date.parse(expiresAt) - Date.parse(createdAt)) / 1000;

test("new credentials live by the new policy, from the very next call on", async () => {
  const admin = await givenOwn();
  bodyOf(await admin.patch(PATH, { defaultLifetime: "7200s", minLifetime: "3600s", maxLifetime: "9000s" }));
  const { id, ...created } = await create(admin);
  assert.equal(lifetimeOf(created), 7200);
  const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();
  for (const path of [CREDENTIALS, `${CREDENTIALS}/${id}:rotate`]) {
    const early = await admin.post(path, { expiresAt: inSeconds(3500) });
    assertRefused(early, 422, { reason: "EXPIRY_BELOW_MINIMUM", fields: ["expires_at"] });
    const late = await admin.post(path, { expiresAt: inSeconds(9100) });
    assertRefused(late, 422, { reason: "EXPIRY_ABOVE_MAXIMUM", fields: ["expires_at"] });
  }
});

test("where creation is denied nothing is created or rotated, and what exists stays and can be deleted", async () => {
  const admin = await givenOwn();
  const { id } = await create(admin);
  const { id: doomed } = await create(admin);
  bodyOf(await admin.patch(PATH, { creation: "denied" }));
  const refusal = { reason: "CREDENTIAL_CREATION_DENIED" };
  for (const validateOnly of [false, true]) {
    assertRefused(await admin.post(CREDENTIALS, { validateOnly }), 400, refusal);
    assertRefused(await admin.post(`${CREDENTIALS}/${id}:rotate`, { validateOnly }), 400, refusal);
  }
  assert.equal((await admin.delete(`${CREDENTIALS}/${doomed}`)).status, 204);
  assert.equal(bodyOf(await admin.get(`${CREDENTIALS}/${id}`)).status, "active");
  bodyOf(await admin.post("/service-accounts", { id: "sa-2", displayName: "Still" }), 201);
  bodyOf(await admin.patch(PATH, { creation: "allowed" }));
  bodyOf(await admin.post(`${CREDENTIALS}/${id}:rotate`), 201);
});

test("a lower maximum changes no credential that exists, and lets no new one come while there are too many", async () => {
  const admin = await givenOwn();
  for (let i = 0; i < 4; i += 1) await create(admin, { displayName: `Number ${i}` });
  const before = bodyOf(await admin.get(CREDENTIALS)).credentials;
  bodyOf(await admin.patch(PATH, { maxActiveCredentials: 2, maxLifetime: "3600s", defaultLifetime: "60s" }));
  assert.deepEqual(bodyOf(await admin.get(CREDENTIALS)).credentials, before);

  const full = (count: number) => ({
    limit: "2",
    active_count: String(count),
    safest_to_delete: before[4 - count].id,
  });
  for (const count of [4, 3, 2]) {
    const metadata = full(count);
    assertRefused(await admin.post(CREDENTIALS), 409, { reason: "CREDENTIAL_LIMIT_REACHED", metadata });
    assert.equal((await admin.delete(`${CREDENTIALS}/${metadata.safest_to_delete}`)).status, 204);
  }
  await create(admin);
});

test("a rotation without a grace period works at a limit that is met, and at one that is exceeded it is refused like a create", async () => {
  const admin = await givenOwn();
  const { id } = await create(admin);
  await create(admin);
  bodyOf(await admin.patch(PATH, { maxActiveCredentials: 2 }));
  const rotated = bodyOf(await admin.post(`${CREDENTIALS}/${id}:rotate`), 201);
  bodyOf(await admin.patch(PATH, { maxActiveCredentials: 1 }));
  const refusal = { reason: "CREDENTIAL_LIMIT_REACHED" };
  assertRefused(await admin.post(`${CREDENTIALS}/${rotated.id}:rotate`), 409, refusal);
});

test("a policy that is tried first names the credentials that would break it, and changes nothing", async () => {
  const admin = await givenOwn();
  const account = { organizationId: admin.organizationId, id: "sa-1" };
  const longest = await create(admin, { expiresAt: new Date(Date.now() + 300 * DAY * 1000).toISOString() });
  const shortest = await create(admin, { expiresAt: new Date(Date.now() + 3600_000).toISOString() });
  const third = await create(admin);
  await givenCredential(h.db.sql, account, { ageSeconds: 400 * DAY, remainingSeconds: -1 });
  await givenCredential(h.db.sql, account, { ageSeconds: 5, deletedSecondsAgo: 1 });
  const before = bodyOf(await admin.get(PATH));

  const wanted = { maxLifetime: `${200 * DAY}s`, minLifetime: "7200s", maxActiveCredentials: 2 };
  const tried = bodyOf(await admin.patch(PATH, { ...wanted, validateOnly: true }));
  const broken = (credential: { id: string; expiresAt: string }, rule: string) => ({
    serviceAccountId: "sa-1",
    credentialId: credential.id,
    rule,
    expiresAt: credential.expiresAt,
  });
  assert.deepEqual(tried.violations, [
    broken(longest, "max_lifetime"),
    broken(shortest, "min_lifetime"),
    broken(third, "max_active_credentials"),
  ]);
  assert.equal(tried.violationCount, 3);
  assert.deepEqual([tried.maxLifetime, tried.maxActiveCredentials], [wanted.maxLifetime, 2]);
  assert.deepEqual(bodyOf(await admin.get(PATH)), before);

  const harmless = bodyOf(await admin.patch(PATH, { maxActiveCredentials: 3, validateOnly: true }));
  assert.deepEqual([harmless.violations, harmless.violationCount], [[], 0]);
  const real = bodyOf(await admin.patch(PATH, wanted));
  assert.deepEqual([real.violations, real.violationCount], [[], undefined]);
});

test("of more than a hundred credentials that would break a policy the first hundred are named and all are counted", async () => {
  const admin = await givenAdministrator(h);
  for (let i = 0; i < 30; i += 1) {
    const id = `sa-${i}`;
    bodyOf(await admin.post("/service-accounts", { id, displayName: "Account" }), 201);
    for (let j = 0; j < 5; j += 1)
      await givenCredential(h.db.sql, { organizationId: admin.organizationId, id }, { ageSeconds: 100 - j });
  }
  const tried = bodyOf(await admin.patch(PATH, { maxActiveCredentials: 1, validateOnly: true }));
  assert.equal(tried.violations.length, 100);
  assert.equal(tried.violationCount, 120);
});
