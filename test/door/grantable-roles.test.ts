import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Administrator, assertRefused, bodyOf, givenAdministrator } from "../support/administrator.ts";
import { assertGrpcRefused, overGrpcAs } from "../support/grpc-administrator.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";

let h: TestKeyturn;
/** Administers the whole organization, and so may grant every role. */
let owner: Administrator;
/** Administers projects, and may grant what she holds: `project-admin` and `reader`. */
let projectAdmin: Administrator;
before(async () => {
  h = await givenKeyturn({ env: { KEYTURN_ADMIN_ROLES: "owner,admin,project-admin" } });
  owner = await givenAdministrator(h, { claims: { roles: ["owner"] } });
  const claims = { roles: ["reader", "project-admin"], sub: "user-project-admin" };
  projectAdmin = await givenAdministrator(h, { organizationId: owner.organizationId, claims });
});
after(() => h.stop());

let count = 0;

async function givenAccount(roles: readonly string[]): Promise<string> {
  count += 1;
  const id = `sa-${count}`;
  bodyOf(await owner.post("/service-accounts", { id, displayName: "Account", roles }), 201);
  return `/service-accounts/${id}`;
}

const notGrantable = (...roles: string[]) => ({
  reason: "ROLE_NOT_GRANTABLE",
  fields: ["roles"],
  metadata: { roles: roles.join(",") },
});

test("an administrator of the organization grants every role, also those he does not hold", async () => {
  const path = await givenAccount(["writer", "anything:at/all"]);
  bodyOf(await owner.patch(path, { roles: ["deployer", "billing"] }));
  bodyOf(await owner.post(`${path}/credentials`), 201);
});

test("another administrator creates accounts with what she holds, and is told which roles she does not hold", async () => {
  const account = { id: "sa-own", displayName: "Own" };
  const create = (roles: string[]) => projectAdmin.post("/service-accounts", { ...account, roles });
  assertRefused(await create(["reader", "writer"]), 422, notGrantable("writer"));
  assertRefused(await create(["writer", "reader", "billing"]), 422, notGrantable("writer", "billing"));
  assertRefused(await create(["Reader"]), 422, notGrantable("Reader"));
  assertRefused(await projectAdmin.get("/service-accounts/sa-own"), 404, { reason: "NOT_FOUND" });
  assert.deepEqual(bodyOf(await create(["reader", "project-admin"]), 201).roles, ["reader", "project-admin"]);
});

test("over gRPC a role that the caller does not hold is refused by the same reason", async (t) => {
  const grpc = overGrpcAs(projectAdmin, h);
  t.after(() => grpc.close());
  const path = await givenAccount(["writer"]);
  const serviceAccountId = path.split("/")[2] ?? "";
  const refused = (call: Promise<unknown>) =>
    assertGrpcRefused(call, "InvalidArgument", "ROLE_NOT_GRANTABLE", ["roles"]);
  await refused(grpc.accounts.createServiceAccount({ id: "sa-x", displayName: "X", roles: ["writer"] }));
  await refused(grpc.accounts.updateServiceAccount({ id: serviceAccountId, roles: ["writer", "billing"] }));
  await refused(grpc.credentials.createCredential({ serviceAccountId }));
});

test("an update is judged by the roles that it adds, and not by those that are there", async () => {
  const path = await givenAccount(["writer", "billing"]);
  const update = (body: object) => projectAdmin.patch(path, body);
  bodyOf(await update({ displayName: "Renamed", status: "disabled" }));
  bodyOf(await update({ roles: ["billing", "writer"] }));
  bodyOf(await update({ roles: ["billing", "writer", "reader"] }));
  assertRefused(await update({ roles: ["billing", "writer", "deployer"] }), 422, notGrantable("deployer"));
  assert.deepEqual(bodyOf(await update({ roles: ["billing"] })).roles, ["billing"]);
  // What she took away is no longer there to be kept.
  assertRefused(await update({ roles: ["billing", "writer"] }), 422, notGrantable("writer"));
  assert.deepEqual(bodyOf(await owner.get(path)).roles, ["billing"]);
});

test("a credential of an account is created and rotated by those alone who hold all of its roles", async () => {
  const path = `${await givenAccount(["reader", "writer", "billing"])}/credentials`;
  assertRefused(await projectAdmin.post(path), 422, notGrantable("writer", "billing"));
  const { id } = bodyOf(await owner.post(path), 201);
  assertRefused(await projectAdmin.post(`${path}/${id}:rotate`), 422, notGrantable("writer", "billing"));
  assert.deepEqual(
    bodyOf(await owner.get(path)).credentials.map((credential: { id: string }) => credential.id),
    [id],
  );
  bodyOf(await owner.post(`${path}/${id}:rotate`), 201);
});

test("a credential of an account whose roles she holds she creates, rotates and deletes", async () => {
  const path = `${await givenAccount(["reader", "project-admin"])}/credentials`;
  const { id } = bodyOf(await projectAdmin.post(path), 201);
  const rotated = bodyOf(await projectAdmin.post(`${path}/${id}:rotate`), 201);
  assert.equal((await projectAdmin.delete(`${path}/${rotated.id}`)).status, 204);
});

test("to take something away nobody needs to hold its roles", async () => {
  const path = await givenAccount(["writer"]);
  const { id } = bodyOf(await owner.post(`${path}/credentials`), 201);
  bodyOf(await projectAdmin.post(`${path}:revokeCredentials`));
  assert.equal((await projectAdmin.delete(`${path}/credentials/${id}`)).status, 204);
  assert.equal((await projectAdmin.delete(path)).status, 204);
});

test("an account is disabled by every administrator, and enabled by those alone who hold all of its roles", async () => {
  const path = await givenAccount(["writer"]);
  bodyOf(await projectAdmin.patch(path, { status: "disabled" }));
  assertRefused(await projectAdmin.patch(path, { status: "active" }), 422, notGrantable("writer"));
  assert.equal(bodyOf(await owner.get(path)).status, "disabled");
  assert.equal(bodyOf(await owner.patch(path, { status: "active" })).status, "active");
});

test("a dry run tells of the role too", async () => {
  const path = await givenAccount(["writer"]);
  const dry = { validateOnly: true };
  const account = { id: "sa-dry", displayName: "Dry", roles: ["writer"] };
  assertRefused(
    await projectAdmin.post("/service-accounts", { ...account, ...dry }),
    422,
    notGrantable("writer"),
  );
  assertRefused(await projectAdmin.patch(path, { roles: ["billing"], ...dry }), 422, notGrantable("billing"));
  assertRefused(await projectAdmin.post(`${path}/credentials`, dry), 422, notGrantable("writer"));
});
