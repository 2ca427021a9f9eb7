import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { givenCredential } from "../storage/stored-credential.ts";
import { type Administrator, assertRefused, bodyOf, givenAdministrator } from "../support/administrator.ts";
import { overGrpcAs } from "../support/grpc-administrator.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";

const STRESS = 200;

let h: TestKeyturn;
before(async () => {
  h = await givenKeyturn();
});
after(() => h.stop());

const pathOf = (id: string) => `/service-accounts/${id}`;

/** An organization with three accounts of two credentials each. */
async function givenOrganization(): Promise<Administrator> {
  const admin = await givenAdministrator(h);
  for (const id of ["sa-a", "sa-b", "sa-c"]) {
    bodyOf(await admin.post("/service-accounts", { id, displayName: "Account" }), 201);
    for (let i = 0; i < 2; i += 1) await create(admin, id);
  }
  return admin;
}

const create = async (admin: Administrator, id: string) =>
  bodyOf(await admin.post(`${pathOf(id)}/credentials`), 201);

const revokeAccount = async (admin: Administrator, id: string) =>
  bodyOf(await admin.post(`${pathOf(id)}:revokeCredentials`));

const revokeAll = async (admin: Administrator, ...exemptServiceAccountIds: string[]) =>
  bodyOf(await admin.post("/credentials:revokeAll", { exemptServiceAccountIds }));

/** The status of every credential of the accounts, oldest first, as it is listed; it is read by itself and by filter the same. */
async function statusesOf(admin: Administrator, ...ids: string[]): Promise<string[]> {
  const statuses = [];
  for (const id of ids) {
    const path = `${pathOf(id)}/credentials`;
    const { credentials } = bodyOf(await admin.get(path));
    for (const credential of credentials) {
      assert.deepEqual(bodyOf(await admin.get(`${path}/${credential.id}`)), credential);
      const { status } = credential;
      const listed = bodyOf(await admin.get(path, { status })).credentials;
      assert.ok(listed.some((other: { id: string }) => other.id === credential.id));
    }
    statuses.push(credentials.map(({ status }: { status: string }) => status).join(" "));
    const live = credentials.filter(({ status }: { status: string }) => status === "active").length;
    assert.equal(bodyOf(await admin.get(pathOf(id))).activeCredentialCount, live);
  }
  return statuses;
}

test("the switch of an account revokes all that it has, for good, and nothing of any other", async () => {
  const admin = await givenOrganization();
  const { revokedBefore, revokedCredentialCount } = await revokeAccount(admin, "sa-a");
  assert.equal(revokedCredentialCount, 2);
  assert.equal(bodyOf(await admin.get(pathOf("sa-a"))).credentialsRevokedBefore, revokedBefore);
  assert.equal(bodyOf(await admin.get(pathOf("sa-b"))).credentialsRevokedBefore, undefined);
  const revoked = ["revoked revoked", "active active", "active active"];
  assert.deepEqual(await statusesOf(admin, "sa-a", "sa-b", "sa-c"), revoked);
  assert.equal((await revokeAccount(admin, "sa-a")).revokedCredentialCount, 0);
  bodyOf(await admin.patch(pathOf("sa-a"), { status: "disabled" }));
  bodyOf(await admin.patch(pathOf("sa-a"), { status: "active" }));
  assert.deepEqual(await statusesOf(admin, "sa-a"), ["revoked revoked"]);
});

test("the switch of an organization revokes all but what the exempt accounts have", async () => {
  const admin = await givenOrganization();
  const stranger = await givenOrganization();
  assert.equal((await revokeAll(admin, "sa-b")).revokedCredentialCount, 4);
  const revoked = ["revoked revoked", "active active", "revoked revoked"];
  assert.deepEqual(await statusesOf(admin, "sa-a", "sa-b", "sa-c"), revoked);
  assert.deepEqual(await statusesOf(stranger, "sa-a"), ["active active"]);
});

test("a second revocation with other exemptions revives nothing of the first", async () => {
  const admin = await givenOrganization();
  await revokeAll(admin, "sa-b");
  for (const id of ["sa-a", "sa-b", "sa-c"]) await create(admin, id);
  // What sa-a and sa-b keep is what held for them until now.
  assert.equal((await revokeAll(admin, "sa-a", "sa-b")).revokedCredentialCount, 1);
  assert.deepEqual(await statusesOf(admin, "sa-a", "sa-b", "sa-c"), [
    "revoked revoked active",
    "active active active",
    "revoked revoked revoked",
  ]);
  assert.equal((await revokeAll(admin, "sa-c")).revokedCredentialCount, 4);
  assert.deepEqual(await statusesOf(admin, "sa-a", "sa-b", "sa-c"), [
    "revoked revoked revoked",
    "revoked revoked revoked",
    "revoked revoked revoked",
  ]);
  await create(admin, "sa-b");
  assert.equal((await revokeAll(admin, "sa-b", "sa-c")).revokedCredentialCount, 0);
  assert.deepEqual(await statusesOf(admin, "sa-b"), ["revoked revoked revoked active"]);
});

test("an exemption is of the account itself, and of none that is created anew under its id, and its own switch still works", async () => {
  const admin = await givenOrganization();
  await revokeAll(admin, "sa-a", "sa-b");
  assert.equal((await revokeAccount(admin, "sa-a")).revokedCredentialCount, 2);
  assert.deepEqual(await statusesOf(admin, "sa-a", "sa-b"), ["revoked revoked", "active active"]);
  assert.equal((await admin.delete(pathOf("sa-b"))).status, 204);
  bodyOf(await admin.post("/service-accounts", { id: "sa-b", displayName: "Anew" }), 201);
  await create(admin, "sa-b");
  assert.deepEqual(await statusesOf(admin, "sa-b"), ["active"]);
  await revokeAll(admin);
  assert.deepEqual(await statusesOf(admin, "sa-b"), ["revoked"]);
});

test("what cannot be exempt or revoked is refused, and nothing is revoked", async () => {
  const admin = await givenOrganization();
  const missing = (id: string) => ({ reason: "NOT_FOUND", resource: `keyturn.dev/ServiceAccount/${id}` });
  const all = (body: object) => admin.post("/credentials:revokeAll", body);
  assertRefused(await all({ exemptServiceAccountIds: ["sa-a", "sa-x"] }), 404, missing("sa-x"));
  assertRefused(await admin.post(`${pathOf("sa-x")}:revokeCredentials`), 404, missing("sa-x"));
  const wrong = (...fields: string[]) => ({ reason: "INVALID_ARGUMENT", fields });
  const exempt = { exemptServiceAccountIds: ["sa-b"] };
  const ofAccount = await admin.post(`${pathOf("sa-a")}:revokeCredentials`, exempt);
  assertRefused(ofAccount, 400, wrong("exempt_service_account_ids"));
  assertRefused(
    await all({ exemptServiceAccountIds: ["sa-a", "sa-a"] }),
    400,
    wrong("exempt_service_account_ids"),
  );
  assertRefused(await all({ exemptServiceAccountIds: ["A"] }), 400, wrong("exempt_service_account_ids[0]"));
  const many = Array.from({ length: 101 }, (_, i) => `sa-${i}`);
  assertRefused(await all({ exemptServiceAccountIds: many }), 400, wrong("exempt_service_account_ids"));
  assert.deepEqual(await statusesOf(admin, "sa-a", "sa-b"), ["active active", "active active"]);
});

test("a revoked credential is not rotated, counts no more and can be deleted", async () => {
  const admin = await givenOrganization();
  const { id } = await create(admin, "sa-a");
  await revokeAccount(admin, "sa-a");
  const refusal = { reason: "CREDENTIAL_NOT_ACTIVE", metadata: { status: "revoked" } };
  const path = `${pathOf("sa-a")}/credentials/${id}`;
  assertRefused(await admin.post(`${path}:rotate`), 400, refusal);
  for (let i = 0; i < 5; i += 1) await create(admin, "sa-a");
  assert.equal((await admin.post(`${pathOf("sa-a")}/credentials`)).status, 409);
  assert.equal((await admin.delete(path)).status, 204);
});

test("over gRPC the switch does the same", async (t) => {
  const admin = await givenOrganization();
  const grpc = overGrpcAs(admin, h);
  t.after(() => grpc.close());
  const { revokeAllCredentials: revoke } = grpc.credentials;
  const tried = await revoke({ exemptServiceAccountIds: ["sa-c"], validateOnly: true });
  assert.equal(tried.revokedCredentialCount, 4);
  assert.equal((await revoke({ serviceAccountId: "sa-a" })).revokedCredentialCount, 2);
  assert.equal((await revoke({ exemptServiceAccountIds: ["sa-c"] })).revokedCredentialCount, 2);
  assert.deepEqual(await statusesOf(admin, "sa-a", "sa-b", "sa-c"), [
    "revoked revoked",
    "revoked revoked",
    "active active",
  ]);
});

for (const whole of [false, true]) {
  const what = whole ? "an organization" : "an account";
  test(`a credential that is created right after the switch of ${what}, in the same millisecond or not, is active: ${STRESS} times`, async () => {
    const admin = await givenAdministrator(h);
    bodyOf(await admin.post("/service-accounts", { id: "sa-a", displayName: "Account" }), 201);
    for (let i = 0; i < STRESS; i += 1) {
      const { revokedBefore } = await (whole ? revokeAll(admin) : revokeAccount(admin, "sa-a"));
      const created = await create(admin, "sa-a");
      assert.equal(created.status, "active");
      assert.ok(Date.parse(created.createdAt) >= Date.parse(revokedBefore));
      const read = bodyOf(await admin.get(`${pathOf("sa-a")}/credentials/${created.id}`));
      assert.equal(read.status, "active");
    }
    const listed = bodyOf(await admin.get(`${pathOf("sa-a")}/credentials`, { pageSize: 500 })).credentials;
    assert.deepEqual(
      listed.map(({ status }: { status: string }) => status),
      [...Array(STRESS - 1).fill("revoked"), "active"],
    );
  });
}

for (const whole of [false, true]) {
  const what = whole ? "an organization" : "an account";
  test(`the switch of ${what} reaches what was created ahead of the clock, as in a rush of creates, and not what comes after`, async () => {
    const admin = await givenAdministrator(h);
    bodyOf(await admin.post("/service-accounts", { id: "sa-a", displayName: "Account" }), 201);
    await givenCredential(
      h.db.sql,
      { organizationId: admin.organizationId, id: "sa-a" },
      { ageSeconds: -60 },
    );
    const { revokedBefore } = await (whole ? revokeAll(admin) : revokeAccount(admin, "sa-a"));
    const { createdAt } = await create(admin, "sa-a");
    assert.ok(Date.parse(createdAt) >= Date.parse(revokedBefore));
    assert.deepEqual(await statusesOf(admin, "sa-a"), ["revoked active"]);
  });
}

test("credentials that are created in the statement after the switch, on the same connection, are active, and those before it revoked", async () => {
  const admin = await givenAdministrator(h);
  bodyOf(await admin.post("/service-accounts", { id: "sa-a", displayName: "Account" }), 201);
  const { organizationId } = admin;
  const statement = (kill: string) => `
    do $$
    declare
      caller keyturn.caller := row('${organizationId}', 'i', 's', null, null, 'r', 60000, false);
      bounds keyturn.policy_bounds := row(3600, 60, 7200, 100);
      new_ keyturn.new_credential;
      created record;
    begin
      for i in 1..${STRESS} loop
        perform keyturn.${kill};
        new_ := jsonb_populate_record(null::keyturn.new_credential, jsonb_build_object(
          'id', 'cred-' || gen_random_uuid(), 'secret_hash', 'h', 'hint', 'h'));
        select * into created from keyturn.create_credential(caller, bounds, 'sa-a', new_, null);
        if created.facts #>> '{credential,status}' <> 'active' then raise 'created as %', created.facts; end if;
      end loop;
    end $$`;
  await h.db.sql.unsafe(statement("revoke_service_account_credentials(caller, 'sa-a')"));
  await h.db.sql.unsafe(statement("revoke_organization_credentials(caller, '{}')"));
  const [row] = await h.db.sql`
    select count(*)::integer as all, count(*) filter (where is_live)::integer as live
      from keyturn.credential_states(${organizationId}, 'sa-a', clock_timestamp())`;
  assert.deepEqual({ ...row }, { all: 2 * STRESS, live: 1 });
});
