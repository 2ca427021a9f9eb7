import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { create, type DescMethodUnary, hasOption } from "@bufbuild/protobuf";
import { http } from "../../gen/google/api/annotations_pb.ts";
import { CredentialPolicyService } from "../../gen/keyturn/v1/credential_policy_service_pb.ts";
import { CredentialService } from "../../gen/keyturn/v1/credential_service_pb.ts";
import { ServiceAccountService } from "../../gen/keyturn/v1/service_account_service_pb.ts";
import { accessOf } from "../../src/rpc/access.ts";
import { SERVICES } from "../../src/rpc/services.ts";
import { type AnyDoor, openAnyDoors } from "../support/any-rpc.ts";
import { credentialsPath, rest } from "../support/clients.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { DOOR_NAMES, recordedCall } from "../support/recorded-call.ts";
import { rowsOfCall, trailLength } from "../support/trail.ts";

const { createCredential, rotateCredential, revokeAllCredentials, deleteCredential } =
  CredentialService.method;
const { createServiceAccount, updateServiceAccount, deleteServiceAccount } = ServiceAccountService.method;
const { updateCredentialPolicy } = CredentialPolicyService.method;

let h: TestKeyturn;
let doors: AnyDoor[];
before(async () => {
  // Administrators here grant what they hold and no more.
  h = await givenKeyturn({ env: { KEYTURN_ORGANIZATION_ADMIN_ROLES: "owner" } });
  doors = openAnyDoors(h);
});
after(async () => {
  for (const door of doors ?? []) door.close();
  await h?.stop();
});

const missing = { serviceAccountId: "sa-none" };
const own = (id: string) => ({ serviceAccountId: id });
const DAY_SECONDS = 86_400;
const inDays = (days: number) => ({ seconds: BigInt(Math.floor(Date.now() / 1000) + days * DAY_SECONDS) });

type Refused = readonly [
  method: DescMethodUnary,
  outcome: string,
  init: (id: string) => Record<string, unknown>,
  named: "account" | "nothing" | "other account",
  chain: "account" | "organization",
  credential?: string,
];

const REFUSED: readonly Refused[] = [
  [createServiceAccount, "already_exists", (id) => ({ id, displayName: "Again" }), "account", "organization"],
  [
    createServiceAccount,
    "invalid_argument",
    () => ({ id: "No_Id", displayName: "x" }),
    "nothing",
    "organization",
  ],
  [
    createServiceAccount,
    "role_not_grantable",
    (id) => ({ id: `${id}-b`, displayName: "x", roles: ["root"] }),
    "other account",
    "organization",
  ],
  [
    updateServiceAccount,
    "not_found",
    () => ({ id: "sa-none", displayName: "x" }),
    "other account",
    "organization",
  ],
  [
    updateServiceAccount,
    "etag_mismatch",
    (id) => ({ id, displayName: "x", etag: "stale" }),
    "account",
    "account",
  ],
  [updateServiceAccount, "invalid_argument", (id) => ({ id }), "account", "organization"],
  [deleteServiceAccount, "not_found", () => ({ id: "sa-none" }), "other account", "organization"],
  [deleteServiceAccount, "etag_mismatch", (id) => ({ id, etag: "stale" }), "account", "account"],
  [createCredential, "not_found", () => missing, "other account", "organization"],
  [
    createCredential,
    "expiry_above_maximum",
    (id) => ({ ...own(id), expiresAt: inDays(4_000) }),
    "account",
    "account",
  ],
  [
    createCredential,
    "invalid_argument",
    (id) => ({ ...own(id), displayName: "" }),
    "account",
    "organization",
  ],
  [
    rotateCredential,
    "not_found",
    (id) => ({ ...own(id), id: "cred-none" }),
    "account",
    "account",
    "cred-none",
  ],
  [
    deleteCredential,
    "not_found",
    (id) => ({ ...own(id), id: "cred-none" }),
    "account",
    "account",
    "cred-none",
  ],
  [revokeAllCredentials, "not_found", () => missing, "other account", "organization"],
  [
    revokeAllCredentials,
    "not_found",
    () => ({ exemptServiceAccountIds: ["sa-none"] }),
    "nothing",
    "organization",
  ],
  [
    updateCredentialPolicy,
    "policy_out_of_bounds",
    () => ({ maxActiveCredentials: 6 }),
    "nothing",
    "organization",
  ],
  [
    updateCredentialPolicy,
    "etag_mismatch",
    () => ({ maxActiveCredentials: 2, etag: "stale" }),
    "nothing",
    "organization",
  ],
];

for (const door of DOOR_NAMES) {
  test(`over ${door} every refusal of an administrator's mutation leaves one row, in the chain of what it was about`, async () => {
    const { organizationId, id } = await h.givenAccount();
    for (const [method, outcome, init, named, chain, credential = null] of REFUSED) {
      const { reason, row } = await recordedCall(h, doors, { door, organizationId, method, init: init(id) });
      const what = `${method.name} ${outcome}`;
      assert.deepEqual([reason, row.outcome], [outcome.toUpperCase(), outcome], what);
      const names = { account: id, nothing: null, "other account": row.serviceAccountId };
      assert.deepEqual([row.serviceAccountId, row.credentialId], [names[named], credential], what);
      if (named === "other account")
        assert.ok(row.serviceAccountId !== null && row.serviceAccountId !== id, what);
      assert.equal(row.serviceAccountUid === undefined, chain === "organization", what);
    }
  });

  test(`over ${door} a refusal that is told as "not found" stands in the trail as what it was`, async () => {
    const { organizationId, id } = await h.givenAccount();
    const ask = { door, organizationId, method: deleteCredential, roles: ["viewer"] };
    const { reason, row } = await recordedCall(h, doors, { ...ask, init: { ...own(id), id: "cred-none" } });
    assert.deepEqual(
      [reason, row.action, row.outcome, row.serviceAccountUid],
      ["NOT_FOUND", "credential.delete", "permission_denied", undefined],
    );
  });
}

const UNREAD: readonly (readonly [name: string, outcome: string, contentType: string, body: string])[] = [
  ["that is no JSON", "invalid_argument", "application/json", "{"],
  ["with an unknown field", "invalid_argument", "application/json", '{"expiresat":"2030-01-01T00:00:00Z"}'],
  ["that is no JSON by its type", "content_type_unsupported", "text/plain", "{}"],
  ["that is too large", "message_too_large", "application/json", `{"displayName":"${"x".repeat(70_000)}"}`],
];

for (const [name, outcome, contentType, body] of UNREAD) {
  test(`a mutation ${name} leaves a row, although nobody could read what it was about`, async () => {
    const { organizationId, id } = await h.givenAccount();
    const requestId = `unread.${randomBytes(6).toString("hex")}`;
    const headers = { "content-type": contentType, "x-request-id": requestId };
    const token = await h.token(organizationId);
    const { status } = await rest(h, credentialsPath(id), { method: "POST", token, headers, body });
    assert.ok(status >= 400 && status < 500, String(status));
    const rows = await rowsOfCall(h.db.sql, requestId);
    assert.deepEqual(
      rows.map((row) => [row.action, row.outcome, row.serviceAccountId]),
      [["credential.create", outcome, null]],
    );
  });
}

test("a call without a good token leaves no row, whatever it asks for and wherever", async () => {
  const length = await trailLength(h.db.sql);
  const stranger = await h.issuer.sign({ claims: { iss: "https://stranger.example", tenant_id: "acme" } });
  const methods = Object.values(SERVICES).flatMap((service) => service.methods as DescMethodUnary[]);
  // At every door, and not for everybody.
  const guarded = methods.filter((method) => hasOption(method, http) && accessOf(method).may !== "public");
  for (const door of doors) {
    for (const method of guarded) {
      for (const token of [undefined, "no-token", stranger]) {
        const message = create(method.input, namesIn(method));
        const { reason } = await door.call({ method, message, token, requestId: "nobody" });
        assert.equal(reason, "UNAUTHENTICATED");
      }
    }
  }
  assert.equal(await trailLength(h.db.sql), length);
});

/** An id in every field that names something, so that it has a path. */
const namesIn = ({ input }: DescMethodUnary): Record<string, string> =>
  Object.fromEntries(
    input.fields
      .map(({ localName }) => localName)
      .filter((name) => name === "serviceAccountId" || name === "id")
      .map((name) => [name, "sa-one"]),
  );
