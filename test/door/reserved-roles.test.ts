import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Administrator, assertRefused, bodyOf, givenAdministrator } from "../support/administrator.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { rowsOfCall, trailLength } from "../support/trail.ts";

let h: TestKeyturn;
/** Holds every role of the organization, and by her token one of the platform's too. */
let owner: Administrator;
before(async () => {
  h = await givenKeyturn({ env: { KEYTURN_PLATFORM_VERIFIER_ROLES: "core,gate" } });
  owner = await givenAdministrator(h, { claims: { roles: ["owner", "core"] } });
});
after(() => h.stop());

const notGrantable = (...roles: string[]) => ({
  reason: "ROLE_NOT_GRANTABLE",
  fields: ["roles"],
  metadata: { roles: roles.join(",") },
});

type Answer = Parameters<typeof assertRefused>[0];

async function assertRecorded(answer: Answer, action: string, serviceAccountId: string): Promise<void> {
  const rows = await rowsOfCall(h.db.sql, answer.headers.get("x-request-id") ?? "");
  assert.deepEqual(
    rows.map((row) => [row.action, row.outcome, row.serviceAccountId]),
    [[action, "role_not_grantable", serviceAccountId]],
  );
}

test("nobody creates a service account that verifies for every organization, and who tried it is in the trail", async () => {
  const create = (roles: string[]) =>
    owner.post("/service-accounts", { id: "sa-new", displayName: "New", roles });
  const refused = await create(["reader", "gate", "core", "platform-verifier"]);
  assertRefused(refused, 422, notGrantable("gate", "core"));
  await assertRecorded(refused, "service_account.create", "sa-new");
  assertRefused(await owner.get("/service-accounts/sa-new"), 404, { reason: "NOT_FOUND" });
  bodyOf(await create(["reader", "verifier", "platform-verifier"]), 201);
});

test("nobody makes a service account verify for every organization, and who tried it is in the trail", async () => {
  const path = "/service-accounts/sa-old";
  bodyOf(await owner.post("/service-accounts", { id: "sa-old", displayName: "Old", roles: ["reader"] }), 201);
  const refused = await owner.patch(path, { roles: ["reader", "core"] });
  assertRefused(refused, 422, notGrantable("core"));
  await assertRecorded(refused, "service_account.update", "sa-old");
  assert.deepEqual(bodyOf(await owner.get(path)).roles, ["reader"]);
  assert.deepEqual(bodyOf(await owner.patch(path, { roles: ["writer"] })).roles, ["writer"]);
});

test("a dry run tells of the reserved role too, and leaves nothing in the trail", async () => {
  const account = { id: "sa-dry", displayName: "Dry" };
  bodyOf(await owner.post("/service-accounts", account), 201);
  const before = await trailLength(h.db.sql);
  const dry = { roles: ["core"], validateOnly: true };
  assertRefused(
    await owner.post("/service-accounts", { ...account, id: "sa-x", ...dry }),
    422,
    notGrantable("core"),
  );
  assertRefused(await owner.patch("/service-accounts/sa-dry", dry), 422, notGrantable("core"));
  assert.equal(await trailLength(h.db.sql), before);
});
