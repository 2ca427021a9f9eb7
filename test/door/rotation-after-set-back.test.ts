import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CredentialService } from "../../gen/keyturn/v1/credential_service_pb.ts";
import { ServiceAccountService } from "../../gen/keyturn/v1/service_account_service_pb.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { overGrpc, type RpcCaller } from "../support/rpc-callers.ts";

const { createCredential, rotateCredential, getCredential } = CredentialService.method;

let h: TestKeyturn;
let caller: RpcCaller;

before(async () => {
  h = await givenKeyturn();
  caller = overGrpc(h);
});
after(async () => {
  caller.close();
  await h.stop();
});

test("a credential that seems to come from the future, as the clock was set back, ends with its rotation all the same", async () => {
  const { organizationId, id: serviceAccountId } = await h.givenAccount();
  const headers = { authorization: `Bearer ${await h.token(organizationId)}` };
  const old = (await caller.call(createCredential, { serviceAccountId }, headers)).body;
  await h.db.sql`
    update keyturn.credentials set created_at = created_at + interval '1 hour' where organization_id = ${organizationId}`;

  const rotated = await caller.call(rotateCredential, { serviceAccountId, id: old.id }, headers);
  assert.equal(rotated.body.replacedCredential.status, "expired");
  const read = await caller.call(getCredential, { serviceAccountId, id: old.id }, headers);
  assert.equal(read.body.status, "expired");
  const { getServiceAccount } = ServiceAccountService.method;
  const account = await caller.call(getServiceAccount, { id: serviceAccountId }, headers);
  assert.equal(account.body.activeCredentialCount, 1);
  const again = await caller.call(rotateCredential, { serviceAccountId, id: old.id }, headers);
  assert.equal(again.reason, "CREDENTIAL_NOT_ACTIVE");
});
