import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type DescMethodUnary } from "@bufbuild/protobuf";
import { CredentialPolicyService } from "../../gen/keyturn/v1/credential_policy_service_pb.ts";
import { CredentialService } from "../../gen/keyturn/v1/credential_service_pb.ts";
import { ServiceAccountService } from "../../gen/keyturn/v1/service_account_service_pb.ts";
import { restAnswer } from "../../src/door/rest-answer.ts";
import { binding, givenMethod } from "../support/given-service.ts";

const SELF_LINK = "/v1/iam/service-accounts/sa-one/credentials/cred-one";
const LOCATION = "/v1/regions/global/iam/service-accounts/sa-one/credentials/cred-one";

/** The answer to a request with these fields, by a method whose answer has these. */
function answered(method: unknown, request: Record<string, unknown>, response: Record<string, unknown>) {
  const unary = method as DescMethodUnary;
  return restAnswer(unary, create(unary.input, request), create(unary.output, response));
}

const METHODS: readonly (readonly [method: { readonly name: string }, httpStatus: number])[] = [
  [CredentialService.method.createCredential, 201],
  [CredentialService.method.rotateCredential, 201],
  [ServiceAccountService.method.createServiceAccount, 201],
  [CredentialService.method.deleteCredential, 204],
  [ServiceAccountService.method.deleteServiceAccount, 204],
  [CredentialService.method.getCredential, 200],
  [CredentialService.method.listCredentials, 200],
  [CredentialService.method.revokeAllCredentials, 200],
  [ServiceAccountService.method.getServiceAccount, 200],
  [ServiceAccountService.method.listServiceAccounts, 200],
  [ServiceAccountService.method.updateServiceAccount, 200],
  [CredentialPolicyService.method.getCredentialPolicy, 200],
  [CredentialPolicyService.method.updateCredentialPolicy, 200],
  [givenMethod(binding("post", "/things"), "Creatething"), 200],
  [givenMethod(binding("delete", "/things"), "Deletething"), 200],
];

for (const [method, httpStatus] of METHODS) {
  test(`${method.name} is answered ${httpStatus}`, () => {
    const answer = answered(method, {}, { selfLink: SELF_LINK });
    assert.equal(answer.httpStatus, httpStatus);
    assert.equal(answer.location, httpStatus === 201 ? LOCATION : undefined);
    assert.equal(answer.body === undefined, httpStatus === 204);
  });
}

const hasDryRun = ({ input }: DescMethodUnary) => input.fields.some(({ name }) => name === "validate_only");

for (const method of METHODS.map(([each]) => each as DescMethodUnary).filter(hasDryRun)) {
  test(`${method.name} that writes nothing is answered 200 with its body and no Location`, () => {
    const answer = answered(method, { validateOnly: true }, { selfLink: SELF_LINK });
    assert.equal(answer.httpStatus, 200);
    assert.equal(answer.location, undefined);
    assert.ok(answer.body !== undefined);
  });
}

test("a delete that writes nothing says what would be lost", () => {
  const { deleteCredential } = CredentialService.method;
  const answer = answered(
    deleteCredential,
    { validateOnly: true },
    { remainingActiveCount: 0, lastActive: true },
  );
  assert.deepEqual(answer.body, { remainingActiveCount: 0, lastActive: true });
});

test("a 201 without a self link has no Location", () => {
  const { createCredential } = CredentialService.method;
  assert.deepEqual(answered(createCredential, {}, {}), { httpStatus: 201, body: {} });
  const thing = givenMethod(binding("post", "/things"), "CreateThing");
  assert.deepEqual(Object.keys(answered(thing, {}, {})), ["httpStatus", "body"]);
});
