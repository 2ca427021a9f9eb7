import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { CredentialService } from "../../gen/keyturn/v1/credential_service_pb.ts";
import { type Administrator, assertRefused, bodyOf, givenAdministrator } from "../support/administrator.ts";
import { DOORS, detailNamed, violatedFields } from "../support/doors.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { rpcCallersOf } from "../support/rpc-callers.ts";
import { storedCount } from "../support/stored.ts";

const DAY_MS = 86_400_000;

let h: TestKeyturn;
let admin: Administrator;
before(async () => {
  h = await givenKeyturn();
  admin = await givenAdministrator(h);
});
after(() => h.stop());

let count = 0;

async function givenAccount(): Promise<{ readonly id: string; readonly path: string }> {
  count += 1;
  const id = `sa-${count}`;
  bodyOf(await admin.post("/service-accounts", { id, displayName: "Account" }), 201);
  return { id, path: `/service-accounts/${id}/credentials` };
}

const inDays = (days: number) => new Date(Date.now() + days * DAY_MS);

/** The fields of the published answer, and none besides. */
const PUBLISHED = "selfLink uid id serviceAccountId status expiresAt createdBy createdAt clientSecret".split(
  " ",
);

test("the published request gets the published answer, field for field, at every door", async (t) => {
  const { id } = await givenAccount();
  for (const caller of rpcCallersOf(h)) {
    t.after(() => caller.close());
    const req = { serviceAccountId: id };
    const { body } = await caller.call(CredentialService.method.createCredential, req, admin.headers);
    assert.deepEqual(Object.keys(body), PUBLISHED, caller.door);
    assert.equal(body.status, "active");
  }
});

test("display name, labels and the beginning are kept as they were given, at every door, and read again", async (t) => {
  const { id, path } = await givenAccount();
  const given = {
    displayName: "Für 漢字 🔑 '\"\\",
    labels: { team: "core", "example.com/env": "prod-1.x_Y", empty: "" },
  };
  const notBefore = new Date(Math.floor(inDays(1).getTime() / 1000) * 1000 + 123);
  for (const caller of rpcCallersOf(h)) {
    t.after(() => caller.close());
    const req = { serviceAccountId: id, ...given, notBefore: timestampFromMs(notBefore.getTime()) };
    const { body } = await caller.call(CredentialService.method.createCredential, req, admin.headers);
    const { displayName, labels, status } = body;
    assert.deepEqual({ displayName, labels, status }, { ...given, status: "pending" }, caller.door);
    assert.equal(Date.parse(body.notBefore), notBefore.getTime());

    const { clientSecret, ...shown } = body;
    const { hint, etag, ...read } = bodyOf(await admin.get(`${path}/${body.id}`));
    assert.deepEqual(read, shown, caller.door);
    assert.equal(hint, clientSecret.slice(-4));
    assert.ok(etag);
  }
});

const LABEL_63 = "a".repeat(63);

const WRONG: readonly [what: string, fields: object, field: string][] = [
  ["an empty display name", { displayName: "" }, "display_name"],
  ["a display name of 256 characters", { displayName: "a".repeat(256) }, "display_name"],
  [
    "17 labels",
    { labels: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`l${i}`, ""])) },
    "labels",
  ],
  ["a label without a name", { labels: { "": "x" } }, "labels"],
  ["a label whose prefix is too long", { labels: { [`${"p".repeat(254)}/a`]: "x" } }, "labels"],
  ["a label whose name is too long", { labels: { [`${LABEL_63}a`]: "x" } }, "labels"],
  ["a label whose value is too long", { labels: { a: `${LABEL_63}a` } }, "labels"],
  ["a label whose name ends in a dot", { labels: { "a.": "x" } }, "labels"],
  ["a label with a prefix in capitals", { labels: { "Example.com/a": "x" } }, "labels"],
  ["a label with a prefix and no name", { labels: { "example.com/": "x" } }, "labels"],
  ["a label with two prefixes", { labels: { "a/b/c": "x" } }, "labels"],
  ["a label whose value begins with a hyphen", { labels: { a: "-x" } }, "labels"],
  ["a label with a space", { labels: { a: "x y" } }, "labels"],
  ["a label in other letters", { labels: { ä: "x" } }, "labels"],
];

for (const [what, fields, field] of WRONG) {
  test(`a credential with ${what} is refused by the name of the field at every door, and nothing is stored`, async () => {
    const { id } = await givenAccount();
    for (const door of DOORS) {
      const answer = await door.create(h, { serviceAccountId: id, ...fields }, { token: admin.token });
      assert.equal(answer.code, Code.InvalidArgument, door.name);
      assert.equal(answer.reason, "INVALID_ARGUMENT", door.name);
      assert.deepEqual([...new Set(violatedFields(answer))], [field], door.name);
      if (door.name === "REST") assert.equal(answer.httpStatus, 400);
    }
    assert.equal(await storedCount(h, id), 0);
  });
}

test("the most and longest labels that are allowed are kept", async () => {
  const { path } = await givenAccount();
  const prefix = Array(4).fill("a".repeat(62)).join(".");
  const labels: Record<string, string> = { [`${prefix}/${LABEL_63}`]: LABEL_63 };
  for (let i = 1; i < 16; i += 1) labels[`label-${i}`] = String(i);
  const { id } = bodyOf(await admin.post(path, { labels, displayName: "a".repeat(255) }), 201);
  assert.deepEqual(bodyOf(await admin.get(`${path}/${id}`)).labels, labels);
});

test("labels that are no object of texts are refused over REST", async () => {
  const { path } = await givenAccount();
  for (const labels of [{ a: 1 }, { a: null }, ["a"], "a=b", { a: { b: "c" } }])
    assertRefused(await admin.post(path, { labels }), 400, {
      reason: "INVALID_ARGUMENT",
      fields: ["labels"],
    });
});

test("a beginning that is not before the expiry is refused at every door, with the expiry", async () => {
  const { id } = await givenAccount();
  const expiresAt = inDays(2);
  for (const door of DOORS) {
    for (const late of [0, 1, DAY_MS]) {
      const req = {
        serviceAccountId: id,
        expiresAt: timestampFromMs(expiresAt.getTime()),
        notBefore: timestampFromMs(expiresAt.getTime() + late),
      };
      const answer = await door.create(h, req, { token: admin.token });
      assert.equal(answer.code, Code.InvalidArgument, door.name);
      assert.equal(answer.reason, "NOT_BEFORE_AFTER_EXPIRY", door.name);
      assert.deepEqual(answer.metadata, { expires_at: expiresAt.toISOString() });
      assert.deepEqual(violatedFields(answer), ["not_before"]);
      if (door.name === "REST") assert.equal(answer.httpStatus, 422);
    }
  }
  assert.equal(await storedCount(h, id), 0);
});

test("a beginning after the default expiry is refused, and one a millisecond before the expiry is not", async () => {
  const { path } = await givenAccount();
  const refusal = { reason: "NOT_BEFORE_AFTER_EXPIRY", fields: ["not_before"] };
  assertRefused(await admin.post(path, { notBefore: inDays(91).toISOString() }), 422, refusal);
  const expiresAt = inDays(2);
  const notBefore = new Date(expiresAt.getTime() - 1).toISOString();
  const { status } = bodyOf(await admin.post(path, { expiresAt: expiresAt.toISOString(), notBefore }), 201);
  assert.equal(status, "pending");
});

test("a beginning that is past is none, and a wrong expiry is told before a wrong beginning", async () => {
  const { path } = await givenAccount();
  const created = bodyOf(await admin.post(path, { notBefore: inDays(-1).toISOString() }), 201);
  assert.deepEqual([created.status, created.notBefore], ["active", undefined]);
  const both = { expiresAt: inDays(-1).toISOString(), notBefore: inDays(500).toISOString() };
  assertRefused(await admin.post(path, both), 422, { reason: "EXPIRY_IN_PAST" });
});

test("a pending credential counts against the limit, is listed as pending, and becomes active by the clock alone", async () => {
  const { id, path } = await givenAccount();
  const pending = bodyOf(await admin.post(path, { notBefore: inDays(1).toISOString() }), 201);
  for (let i = 0; i < 4; i += 1) bodyOf(await admin.post(path), 201);
  assertRefused(await admin.post(path), 409, { reason: "CREDENTIAL_LIMIT_REACHED" });
  const listed = bodyOf(await admin.get(path, { status: "pending" })).credentials;
  assert.deepEqual(
    listed.map((credential: { id: string }) => credential.id),
    [pending.id],
  );
  // What a day would do.
  await h.db.sql`
    update keyturn.credentials set not_before = clock_timestamp() - interval '1 millisecond'
     where service_account_id = ${id} and id = ${pending.id}`;
  assert.equal(bodyOf(await admin.get(`${path}/${pending.id}`)).status, "active");
});

test("a rotation takes over display name and labels, and neither the beginning nor the end", async () => {
  const { path } = await givenAccount();
  const named = { displayName: "Deployer", labels: { team: "core" } };
  const old = bodyOf(await admin.post(path, { ...named, expiresAt: inDays(3).toISOString() }), 201);
  const fresh = bodyOf(await admin.post(`${path}/${old.id}:rotate`, { gracePeriod: "3600s" }), 201);
  const { displayName, labels, status, notBefore } = fresh;
  assert.deepEqual(
    { displayName, labels, status, notBefore },
    { ...named, status: "active", notBefore: undefined },
  );
  assert.equal(Date.parse(fresh.expiresAt) - Date.parse(fresh.createdAt), 90 * DAY_MS);
  const { expiresAt, etag, ...replaced } = fresh.replacedCredential;
  assert.equal(Date.parse(expiresAt) <= Date.parse(fresh.createdAt) + 3_600_000, true);
  assert.deepEqual(bodyOf(await admin.get(`${path}/${old.id}`)), { ...replaced, expiresAt, etag });
});

test("a range of IPv4 that is written as one of IPv6 would match nobody: it is refused, with what to write instead", async () => {
  const { id } = await givenAccount();
  const allowedCidrs = ["192.0.2.0/24", "::ffff:10.0.0.0/104", "2001:db8::/32", "::ffff:c000:201/128"];
  for (const door of DOORS) {
    const answer = await door.create(h, { serviceAccountId: id, allowedCidrs }, { token: admin.token });
    assert.deepEqual([answer.code, answer.reason], [Code.InvalidArgument, "INVALID_ARGUMENT"], door.name);
    assert.deepEqual(detailNamed(answer, "BadRequest")?.["fieldViolations"], [
      { field: "allowed_cidrs[1]", description: "is an IPv4 range: write 10.0.0.0/8" },
      { field: "allowed_cidrs[3]", description: "is an IPv4 range: write 192.0.2.1/32" },
    ]);
  }
  assert.equal(await storedCount(h, id), 0);
});
