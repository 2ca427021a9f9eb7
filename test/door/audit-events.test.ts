import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import type { DescMethodUnary } from "@bufbuild/protobuf";
import { CredentialPolicyService } from "../../gen/keyturn/v1/credential_policy_service_pb.ts";
import { CredentialService } from "../../gen/keyturn/v1/credential_service_pb.ts";
import { ServiceAccountService } from "../../gen/keyturn/v1/service_account_service_pb.ts";
import { ACCESS, type AccessRow } from "../../src/rpc/access.ts";
import { bodyOf, givenAdministrator } from "../support/administrator.ts";
import { type AnyDoor, openAnyDoors } from "../support/any-rpc.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { DOOR_NAMES, recordedCall } from "../support/recorded-call.ts";
import type { TrailRow } from "../support/trail.ts";

const { createCredential, rotateCredential, revokeAllCredentials, deleteCredential } =
  CredentialService.method;
const { createServiceAccount, updateServiceAccount, deleteServiceAccount } = ServiceAccountService.method;
const { updateCredentialPolicy } = CredentialPolicyService.method;

let h: TestKeyturn;
let doors: AnyDoor[];
before(async () => {
  h = await givenKeyturn();
  doors = openAnyDoors(h);
});
after(async () => {
  for (const door of doors ?? []) door.close();
  await h?.stop();
});

const brief = ({ row }: { readonly row: TrailRow }) => ({
  action: row.action,
  outcome: row.outcome,
  account: row.serviceAccountId,
  credential: row.credentialId,
});

/** The whole life of an account, at one door. */
async function lifeAt(door: string) {
  const organizationId = `org-${randomBytes(5).toString("hex")}`;
  const id = "sa-life";
  const ask = (method: DescMethodUnary, init: Record<string, unknown>) =>
    recordedCall(h, doors, { door, organizationId, method, init });
  const created = await ask(createServiceAccount, { id, displayName: "Life" });
  const issued = await ask(createCredential, { serviceAccountId: id });
  const rotated = await ask(rotateCredential, { serviceAccountId: id, id: issued.row.credentialId });
  const rows = [
    created,
    issued,
    rotated,
    await ask(updateServiceAccount, { id, displayName: "Longer life", description: "Longer" }),
    await ask(revokeAllCredentials, { serviceAccountId: id }),
    await ask(revokeAllCredentials, {}),
    await ask(updateCredentialPolicy, { maxActiveCredentials: 3 }),
    await ask(deleteCredential, { serviceAccountId: id, id: rotated.row.credentialId }),
    await ask(deleteServiceAccount, { id }),
  ];
  return { id, rows, first: issued.row.credentialId, second: rotated.row.credentialId };
}

for (const door of DOOR_NAMES) {
  test(`over ${door} every mutation leaves one row: who, what, when, from where, with what outcome, under which request id`, async () => {
    const { id, rows, first, second } = await lifeAt(door);
    const line = (action: string, account: string | null = id, credential: string | null = null) => ({
      action,
      outcome: "succeeded",
      account,
      credential,
    });
    assert.ok(first && second && first !== second);
    assert.deepEqual(rows.map(brief), [
      line("service_account.create"),
      line("credential.create", id, first),
      line("credential.rotate", id, second),
      line("service_account.update"),
      line("credential.revoke_all"),
      line("credential.revoke_all", null),
      line("credential_policy.update", null),
      line("credential.delete", id, second),
      line("service_account.delete"),
    ]);
    const [, , { row: rotation } = { row: undefined }, { row: update } = { row: undefined }] = rows;
    assert.equal(rotation?.details["replaced_credential_id"], first);
    assert.equal(update?.details["changed_fields"], "description,display_name");
    assert.deepEqual(
      rows.map(({ reason }) => reason),
      rows.map(() => ""),
    );
    const uids = new Set(rows.map(({ row }) => row.serviceAccountUid));
    assert.equal(uids.size, 2, "a chain of the account and one of the organization");
  });
}

test("a policy that is given back to the server's own values leaves the names of what was changed", async () => {
  const admin = await givenAdministrator(h);
  bodyOf(await admin.patch("/credential-policy", { maxLifetime: "8000000s", creation: "denied" }));
  bodyOf(await admin.patch("/credential-policy", { updateMask: "maxLifetime,creation" }));
  const { auditEvents } = bodyOf(await admin.get("/audit-events"));
  assert.deepEqual(
    auditEvents.map(({ details }: { details: object }) => details),
    [
      {
        changed_fields: "credential_creation,max_lifetime_seconds",
        credential_creation: "denied",
        max_lifetime_seconds: "8000000",
      },
      { changed_fields: "credential_creation,max_lifetime_seconds" },
    ],
  );
});

test("these are all the mutations that there are", async () => {
  // Those of a token and of a secret that was found are played in revocation.test.ts and report-leak.test.ts.
  const { TokenService: _, VerificationService: __, ...services } = ACCESS;
  const rows = Object.values(services).flatMap((service): AccessRow[] => Object.values(service));
  const mutations = rows.filter(({ changes }) => changes).map(({ action }) => action);
  const { rows: played } = await lifeAt("REST");
  assert.deepEqual(new Set(played.map(({ row }) => row.action)), new Set(mutations));
});
