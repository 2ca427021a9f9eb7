import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ServiceAccountScope, ServiceAccountStatus } from "../../gen/keyturn/v1/service_account_pb.ts";
import { givenCredential } from "../storage/stored-credential.ts";
import { type Administrator, assertRefused, bodyOf, givenAdministrator } from "../support/administrator.ts";
import { assertGrpcRefused, type GrpcAdministrator, overGrpcAs } from "../support/grpc-administrator.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";

let h: TestKeyturn;
let admin: Administrator;
let grpc: GrpcAdministrator;
before(async () => {
  h = await givenKeyturn();
  admin = await givenAdministrator(h);
  grpc = overGrpcAs(admin, h);
});
after(async () => {
  grpc.close();
  await h.stop();
});

const PATH = "/service-accounts";

test("a new service account is answered by 201 with its resource, no secret and where it can be read", async () => {
  const wanted = {
    id: "sa-pipeline-prod",
    displayName: "Pipeline",
    description: "Builds",
    roles: ["reader", "z/a:b"],
  };
  const res = await admin.post(PATH, wanted);
  const { uid, etag, createdAt, ...account } = bodyOf(res, 201);
  assert.deepEqual(account, {
    ...wanted,
    selfLink: "/v1/iam/service-accounts/sa-pipeline-prod",
    clientId: `sa-pipeline-prod@${admin.organizationId}.iam`,
    scope: "organization",
    scopeId: admin.organizationId,
    status: "active",
    createdBy: "user-admin-001",
    updatedAt: createdAt,
    activeCredentialCount: 0,
  });
  assert.match(uid, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.ok(etag);
  assert.equal(res.headers.get("location"), "/v1/regions/global/iam/service-accounts/sa-pipeline-prod");
  assert.deepEqual(bodyOf(await admin.get(`${PATH}/sa-pipeline-prod`)), res.body);
});

test("over gRPC a new service account is the same, and what was left out is absent", async () => {
  const created = await grpc.accounts.createServiceAccount({ id: "sa-grpc", displayName: "Over gRPC" });
  assert.deepEqual(created, await grpc.accounts.getServiceAccount({ id: "sa-grpc" }));
  assert.equal(created.scope, ServiceAccountScope.ORGANIZATION);
  assert.equal(created.status, ServiceAccountStatus.ACTIVE);
  assert.equal(created.description, undefined);
  assert.equal(created.credentialsRevokedBefore, undefined);
  assert.equal(created.activeCredentialCount, 0);
});

test("an id of the organization is given once, and every organization has ids of its own", async () => {
  const stranger = await givenAdministrator(h);
  const wanted = { id: "sa-twice", displayName: "Twice" };
  const first = bodyOf(await admin.post(PATH, wanted), 201);
  assertRefused(await admin.post(PATH, wanted), 409, {
    reason: "ALREADY_EXISTS",
    resource: "keyturn.dev/ServiceAccount/sa-twice",
  });
  await assertGrpcRefused(grpc.accounts.createServiceAccount(wanted), "AlreadyExists", "ALREADY_EXISTS");
  const theirs = bodyOf(await stranger.post(PATH, wanted), 201);
  assert.notEqual(theirs.uid, first.uid);
  assert.notEqual(theirs.clientId, first.clientId);
});

test("a scope is the caller's own organization, or a project that is named", async () => {
  const account = { id: "sa-scope", displayName: "Scoped" };
  const refusal = { reason: "INVALID_ARGUMENT", fields: ["scope_id"] };
  for (const wrong of [
    { scope: "project" },
    { scope: "organization", scopeId: "another" },
    { scopeId: "another" },
    { scope: "project", scopeId: "-p" },
    { scope: "project", scopeId: "p".repeat(64) },
  ])
    assertRefused(await admin.post(PATH, { ...account, ...wrong }), 400, refusal);
  const own = { scope: "organization", scopeId: admin.organizationId };
  assert.equal(bodyOf(await admin.post(PATH, { ...account, ...own }), 201).scopeId, admin.organizationId);
  const project = { id: "sa-project", displayName: "Scoped", scope: "project", scopeId: "Project_1.eu" };
  const { scope, scopeId } = bodyOf(await admin.post(PATH, project), 201);
  assert.deepEqual({ scope, scopeId }, { scope: "project", scopeId: "Project_1.eu" });
});

const WRONG: readonly [what: string, body: object, fields: string[]][] = [
  ["no id", { displayName: "A" }, ["id", "id"]],
  ["an id that ends in a hyphen", { id: "sa-", displayName: "A" }, ["id"]],
  ["an id in capitals", { id: "SA", displayName: "A" }, ["id"]],
  ["an id of 64 characters", { id: "a".repeat(64), displayName: "A" }, ["id"]],
  ["no display name", { id: "sa-x" }, ["display_name"]],
  ["an empty display name", { id: "sa-x", displayName: "" }, ["display_name"]],
  ["a display name of 256 characters", { id: "sa-x", displayName: "a".repeat(256) }, ["display_name"]],
  [
    "a description of 1025 characters",
    { id: "sa-x", displayName: "A", description: "a".repeat(1025) },
    ["description"],
  ],
  ["a role twice", { id: "sa-x", displayName: "A", roles: ["r", "r"] }, ["roles"]],
  [
    "101 roles",
    { id: "sa-x", displayName: "A", roles: Array.from({ length: 101 }, (_, i) => `r${i}`) },
    ["roles"],
  ],
  ["a field that is misspelt", { id: "sa-x", displayname: "A" }, ["displayname"]],
  ["a field of its answer", { id: "sa-x", displayName: "A", clientId: "sa-x" }, ["clientId"]],
];

for (const [what, body, fields] of WRONG) {
  test(`a service account with ${what} is refused by the name of the field`, async () => {
    assertRefused(await admin.post(PATH, body), 400, { reason: "INVALID_ARGUMENT", fields });
  });
}

test("the longest texts and the most roles that are allowed are kept as they are, whatever their letters", async () => {
  const wanted = {
    id: "a".repeat(63),
    displayName: "ÄÖ漢字🔑".repeat(51),
    description: "'\"\\\n\t%s $1 --;".padEnd(1024, "ß"),
    roles: Array.from({ length: 100 }, (_, i) => `role/${i}:x._-`.padEnd(128, "r")),
  };
  bodyOf(await admin.post(PATH, wanted), 201);
  const { id, displayName, description, roles } = bodyOf(await admin.get(`${PATH}/${wanted.id}`));
  assert.deepEqual({ id, displayName, description, roles }, wanted);
});

test("the active credentials of an account are counted by the clock, and neither expired nor deleted ones", async () => {
  const account = { organizationId: admin.organizationId, id: "sa-count" };
  bodyOf(await admin.post(PATH, { id: account.id, displayName: "Counted" }), 201);
  await givenCredential(h.db.sql, account, { ageSeconds: 100, remainingSeconds: -1 });
  await givenCredential(h.db.sql, account, { deletedSecondsAgo: 1 });
  for (const count of [1, 2]) {
    bodyOf(await admin.post(`${PATH}/${account.id}/credentials`), 201);
    assert.equal(bodyOf(await admin.get(`${PATH}/${account.id}`)).activeCredentialCount, count);
  }
});

test("a deleted account is gone with its credentials, and one of the same id begins anew", async () => {
  const path = `${PATH}/sa-gone`;
  const first = bodyOf(await admin.post(PATH, { id: "sa-gone", displayName: "Gone" }), 201);
  const credential = bodyOf(await admin.post(`${path}/credentials`), 201);
  const res = await admin.delete(path);
  assert.deepEqual([res.status, res.text], [204, ""]);

  const gone = { reason: "NOT_FOUND", resource: "keyturn.dev/ServiceAccount/sa-gone" };
  assertRefused(await admin.get(path), 404, gone);
  assertRefused(await admin.delete(path), 404, gone);
  assertRefused(await admin.patch(path, { displayName: "Still" }), 404, gone);
  for (const sub of ["credentials", `credentials/${credential.id}`])
    assertRefused(await admin.get(`${path}/${sub}`), 404, gone);
  assertRefused(await admin.post(`${path}/credentials`), 404, gone);

  const again = bodyOf(await admin.post(PATH, { id: "sa-gone", displayName: "Again" }), 201);
  assert.notEqual(again.uid, first.uid);
  assert.equal(again.clientId, first.clientId);
  assert.deepEqual(bodyOf(await admin.get(`${path}/credentials`)).credentials, []);
  assertRefused(await admin.get(`${path}/credentials/${credential.id}`), 404, {
    reason: "NOT_FOUND",
    resource: `keyturn.dev/Credential/${credential.id}`,
  });
});
