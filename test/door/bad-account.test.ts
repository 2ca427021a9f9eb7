import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Code } from "@connectrpc/connect";
import { credentialsPath, rest, restCreate } from "../support/clients.ts";
import { DOORS, detailNamed, violatedFields } from "../support/doors.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { assertAlive, assertNothingStored } from "../support/stored.ts";

let h: TestKeyturn;
before(async () => {
  h = await givenKeyturn();
});
after(() => h.stop());

for (const whose of ["nobody's", "another tenant's"] as const) {
  test(`${whose} account is not found at any door, and nothing is stored`, async () => {
    const foreign = await h.givenAccount();
    const { organizationId } = await h.givenAccount();
    const serviceAccountId = whose === "nobody's" ? "sa-nobody" : foreign.id;
    const token = await h.token(organizationId);
    for (const door of DOORS) {
      const answer = await door.create(h, { serviceAccountId }, { token });
      assert.equal(answer.code, Code.NotFound, door.name);
      assert.equal(answer.reason, "NOT_FOUND");
      assert.deepEqual(detailNamed(answer, "ResourceInfo"), {
        resourceType: "keyturn.dev/ServiceAccount",
        resourceName: serviceAccountId,
      });
      if (door.name === "REST") assert.equal(answer.httpStatus, 404);
    }
    await assertNothingStored(h, serviceAccountId);
    await assertAlive(h);
  });
}

test("an unknown account and another tenant's get the same bytes at every door", async () => {
  const foreign = await h.givenAccount();
  const { organizationId } = await h.givenAccount();
  const token = await h.token(organizationId);
  // The same id is asked for twice: as another tenant's, and, once that tenant is gone, as nobody's.
  const ask = async () => {
    const headers = { "x-request-id": "same-for-both" };
    const viaRest = await rest(h, credentialsPath(foreign.id), { method: "POST", token, headers });
    const others = await Promise.all(
      DOORS.map((door) => door.create(h, { serviceAccountId: foreign.id }, { token, headers })),
    );
    const headerNames = ["content-type", "content-length", "cache-control", "x-request-id"];
    return JSON.stringify([
      viaRest.status,
      viaRest.text,
      headerNames.map((name) => viaRest.headers.get(name)),
      others,
    ]);
  };
  const whileItExists = await ask();
  await h.db.sql`delete from keyturn.service_accounts where id = ${foreign.id}`;
  assert.equal(await ask(), whileItExists);
});

test("a caller without an administrator role is refused alike whether or not the account exists", async () => {
  const { organizationId, id } = await h.givenAccount();
  const token = await h.token(organizationId, { roles: ["member", "Admin", "administrator"] });
  const headers = { "x-request-id": "same-for-both" };
  for (const door of DOORS) {
    const existing = await door.create(h, { serviceAccountId: id }, { token, headers });
    const unknown = await door.create(h, { serviceAccountId: "sa-nobody" }, { token, headers });
    assert.equal(existing.code, Code.PermissionDenied, door.name);
    assert.equal(existing.reason, "PERMISSION_DENIED");
    assert.deepEqual([existing.message, existing.details], [unknown.message, unknown.details]);
    if (door.name === "REST") assert.equal(existing.httpStatus, 403);
    if (door.name !== "gRPC") {
      assert.equal(existing.header("www-authenticate"), 'Bearer realm="keyturn", error="insufficient_scope"');
    }
  }
  await assertNothingStored(h, id);
});

const BAD_IDS: readonly (readonly [what: string, id: string])[] = [
  ["empty", ""],
  ["longer than 63 characters", `a${"b".repeat(63)}`],
  ["in upper case", "SA-one"],
  ["that begins with a digit", "1sa"],
  ["that ends in a hyphen", "sa-"],
  ["with a line break at its end", "sa-one\n"],
  ["with a NUL", "sa\u0000one"],
  ["with a space", "sa one"],
  ["with letters beyond ASCII", "sa-\u00e9"],
  ["with a slash", "sa/one"],
  ["that climbs a path", ".."],
  ["that is SQL", "sa'; drop table keyturn.credentials;--"],
];

for (const [what, serviceAccountId] of BAD_IDS) {
  test(`an account id ${what} is refused at every door by its field, and nothing is stored`, async () => {
    const { organizationId } = await h.givenAccount();
    const token = await h.token(organizationId);
    for (const door of DOORS) {
      // `fetch` would fold this path before it is sent; test/door/error-envelope.test.ts sends it as it is.
      if (door.name === "REST" && serviceAccountId === "..") continue;
      const answer = await door.create(h, { serviceAccountId }, { token });
      assert.equal(answer.code, Code.InvalidArgument, door.name);
      assert.equal(answer.reason, "INVALID_ARGUMENT");
      assert.ok(violatedFields(answer).includes("service_account_id"), door.name);
      if (door.name === "REST") assert.equal(answer.httpStatus, 400);
    }
    await assertAlive(h);
  });
}

test("an id in the path that is not percent encoding is refused by its field", async () => {
  const { organizationId } = await h.givenAccount();
  for (const segment of ["%", "%zz", "%ff", "sa%2"]) {
    const res = await restCreate(h, segment, await h.token(organizationId));
    assert.equal(res.status, 400, segment);
    assert.equal(res.body.error.details[1].fieldViolations[0].field, "service_account_id");
  }
});
