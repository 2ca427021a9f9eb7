import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ServiceAccountStatus } from "../../gen/keyturn/v1/service_account_pb.ts";
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

let count = 0;

/** An account with every field set. */
async function givenAccount() {
  count += 1;
  const id = `sa-${count}`;
  const fields = { displayName: "First", description: "About it", roles: ["a", "b"] };
  return bodyOf(await admin.post("/service-accounts", { id, ...fields }), 201);
}

const pathOf = ({ id }: { readonly id: string }) => `/service-accounts/${id}`;

/** What an update may change, of an account at the REST edge. */
const changeable = ({ displayName, description, roles, status }: Record<string, unknown>) => ({
  displayName,
  description,
  roles,
  status,
});

const FIRST = { displayName: "First", description: "About it", roles: ["a", "b"], status: "active" };

const BODIES: readonly [body: object, changed: object][] = [
  [{ displayName: "Second" }, { displayName: "Second" }],
  [{ description: "Other" }, { description: "Other" }],
  [{ description: "" }, { description: undefined }],
  [{ roles: ["c"] }, { roles: ["c"] }],
  [{ roles: [] }, { roles: [] }],
  [{ status: "disabled" }, { status: "disabled" }],
  [{ displayName: null, status: "disabled" }, { status: "disabled" }],
  [
    { displayName: "Second", description: "", roles: [], status: "disabled" },
    { displayName: "Second", description: undefined, roles: [], status: "disabled" },
  ],
  [{ updateMask: "displayName", displayName: "Second", status: "disabled" }, { displayName: "Second" }],
  [{ updateMask: "description" }, { description: undefined }],
  [
    { updateMask: "roles,status", roles: [], status: "disabled" },
    { roles: [], status: "disabled" },
  ],
];

for (const [body, changed] of BODIES) {
  test(`PATCH ${JSON.stringify(body)} changes what stands there and nothing else`, async () => {
    const before = await givenAccount();
    const after = bodyOf(await admin.patch(pathOf(before), body));
    assert.deepEqual(changeable(after), { ...FIRST, ...changed });
    const { updatedAt, etag } = after;
    assert.deepEqual(
      { ...after, ...changeable(before), updatedAt: "", etag: "" },
      { ...before, updatedAt: "", etag: "" },
    );
    assert.ok(Date.parse(updatedAt) >= Date.parse(before.updatedAt));
    assert.notEqual(etag, before.etag);
    assert.deepEqual(bodyOf(await admin.get(pathOf(before))), after);
  });
}

const REFUSED: readonly [body: object, fields: string[]][] = [
  [{}, ["update_mask"]],
  [{ displayName: null }, ["update_mask"]],
  [{ validateOnly: true }, ["update_mask"]],
  [{ displayName: "" }, ["display_name"]],
  [{ roles: ["a", ""] }, ["roles[1]", "roles[1]"]],
  [{ status: "deleted" }, ["status"]],
  [{ status: "ACTIVE" }, ["status"]],
  [{ id: "sa-other" }, ["id"]],
  [{ scope: "project" }, ["scope"]],
  [{ clientId: "x" }, ["clientId"]],
  [{ displayname: "Second" }, ["displayname"]],
  [{ updateMask: "clientId", displayName: "Second" }, ["update_mask"]],
  [{ updateMask: "displayName,nonsense", displayName: "Second" }, ["update_mask"]],
  [{ updateMask: "displayName" }, ["display_name"]],
  [{ updateMask: "status" }, ["status"]],
  [{ updateMask: "*", description: "Other" }, ["display_name"]],
];

for (const [body, fields] of REFUSED) {
  test(`PATCH ${JSON.stringify(body)} is refused by the name of ${fields[0]}, and changes nothing`, async () => {
    const account = await givenAccount();
    assertRefused(await admin.patch(pathOf(account), body), 400, { reason: "INVALID_ARGUMENT", fields });
    assert.deepEqual(bodyOf(await admin.get(pathOf(account))), account);
  });
}

test("over gRPC an update without a mask changes the fields that are set", async () => {
  const { id } = await givenAccount();
  const updated = await grpc.accounts.updateServiceAccount({ id, displayName: "Second" });
  const { displayName, description, roles, status } = updated;
  assert.deepEqual(
    { displayName, description, roles, status },
    { ...FIRST, displayName: "Second", status: ServiceAccountStatus.ACTIVE },
  );
  // An empty list is none that is set.
  const again = await grpc.accounts.updateServiceAccount({ id, roles: [], description: "" });
  assert.deepEqual(again.roles, ["a", "b"]);
  assert.equal(again.description, undefined);
});

test("over gRPC a mask says which fields change, and clears those that are not set", async () => {
  const { id } = await givenAccount();
  const paths = ["description", "roles"];
  const cleared = await grpc.accounts.updateServiceAccount({
    id,
    displayName: "Second",
    updateMask: { paths },
  });
  assert.equal(cleared.displayName, "First");
  assert.equal(cleared.description, undefined);
  assert.deepEqual(cleared.roles, []);

  const all = { displayName: "Third", status: ServiceAccountStatus.DISABLED, roles: ["z"] };
  const updated = await grpc.accounts.updateServiceAccount({ id, ...all, updateMask: { paths: ["*"] } });
  const { displayName, status, roles, description } = updated;
  assert.deepEqual({ displayName, status, roles, description }, { ...all, description: undefined });
});

test("over gRPC a mask that names no field, or one that cannot be cleared, is refused", async () => {
  const { id } = await givenAccount();
  const update = (paths: string[], more = {}) =>
    grpc.accounts.updateServiceAccount({ id, ...more, updateMask: { paths } });
  const refused = (call: Promise<unknown>, field: string) =>
    assertGrpcRefused(call, "InvalidArgument", "INVALID_ARGUMENT", [field]);
  for (const path of [
    "displayName",
    "client_id",
    "id",
    "etag",
    "update_mask",
    "",
    "roles.a",
    "description.x",
  ])
    await refused(update([path], { displayName: "Second" }), "update_mask");
  await refused(update(["*", "roles"], { displayName: "Second" }), "update_mask");
  await refused(update(["display_name"]), "display_name");
  await refused(update(["status"]), "status");
  await refused(update(["*"], { displayName: "Second" }), "status");
  await refused(grpc.accounts.updateServiceAccount({ id }), "update_mask");
});

test("a disabled account gets new credentials, and its credentials keep their status", async () => {
  const account = await givenAccount();
  const path = `${pathOf(account)}/credentials`;
  const { id } = bodyOf(await admin.post(path), 201);
  bodyOf(await admin.patch(pathOf(account), { status: "disabled" }));
  assert.equal(bodyOf(await admin.get(`${path}/${id}`)).status, "active");
  assert.equal(bodyOf(await admin.post(path), 201).status, "active");
  assert.equal(bodyOf(await admin.patch(pathOf(account), { status: "active" })).activeCredentialCount, 2);
});
