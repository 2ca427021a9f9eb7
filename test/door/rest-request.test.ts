import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { test } from "node:test";
import type { DescFile, DescMethodUnary } from "@bufbuild/protobuf";
import { CredentialPolicyService } from "../../gen/keyturn/v1/credential_policy_service_pb.ts";
import { CredentialService } from "../../gen/keyturn/v1/credential_service_pb.ts";
import {
  ServiceAccountService,
  type UpdateServiceAccountRequest,
} from "../../gen/keyturn/v1/service_account_service_pb.ts";
import { isParameter } from "../../src/door/rest-query.ts";
import { isInPath, routesOf } from "../../src/door/routes.ts";
import { binding, givenMethod } from "../support/given-service.ts";
import { fieldsOf, getThing, patchThing, postThing, restClient } from "../support/rest-client.ts";

const IAM = "/v1/regions/global/iam";
const accounts = ServiceAccountService.method;
const listAccounts = restClient(accounts.listServiceAccounts, "GET", `${IAM}/service-accounts`);
const updateAccount = restClient(accounts.updateServiceAccount, "PATCH", `${IAM}/service-accounts/sa-one`);
const createCredential = restClient(
  CredentialService.method.createCredential,
  "POST",
  `${IAM}/service-accounts/sa-one/credentials`,
);

test("a path is decoded once, after it was matched", () => {
  const idOf = (segment: string) => getThing.message({ path: `/things/${segment}` })["id"];
  assert.equal(idOf("%2e%2e%2F"), "../");
  assert.equal(idOf("%252e"), "%2e");
  assert.equal(idOf("t%3Arotate"), "t:rotate");
  assert.equal(idOf("a+b"), "a+b");
  assert.equal(idOf("%E2%82%AC"), "€");
});

test("a variable that is empty or no percent encoding of UTF-8 is refused by its field", () => {
  const stop = restClient(givenMethod(binding("get", "/things/{owner_id}:stop")), "GET", "");
  assert.deepEqual(fieldsOf(stop.refused({ path: "/things/:stop" })), ["owner_id"]);
  for (const segment of ["%", "%zz", "%ff", "%c0%af", "%ed%a0%80", "sa%2", "\u00e9", "a b"]) {
    assert.deepEqual(fieldsOf(stop.refused({ path: `/things/${segment}:stop` })), ["owner_id"], segment);
  }
});

test("at most eight violations are named", () => {
  const query = Array.from({ length: 20 }, (_, at) => `p${at}=x`).join("&");
  assert.equal(getThing.refused({ query }).length, 8);
  const body = JSON.stringify(Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`p${at}`, 1])));
  assert.equal(postThing.refused({ body }).length, 8);
  const nested = `{"part":${body}}`;
  assert.equal(postThing.refused({ body: nested }).length, 8);
});

const MASKS: readonly (readonly [body: string, mask: string])[] = [
  ['{"note":"x","ownerId":"o"}', "note,ownerId"],
  ['{"owner_id":"o","note":""}', "ownerId,note"],
  ['{"tags":[],"labels":{},"size":0}', "tags,labels,size"],
  ['{"note":"x","tags":null,"id":null}', "note"],
  ['{"etag":"e","note":"x","validateOnly":true,"request_id":"r"}', "note"],
  ['{"updateMask":null,"note":"x"}', "note"],
  ['{"part":{"color":"red"}}', "part"],
  ["{}", ""],
  ['{"etag":"e"}', ""],
  ['{"updateMask":"ownerId,tags","note":"x"}', "ownerId,tags"],
  ['{"update_mask":"tags"}', "tags"],
  ['{"updateMask":"","note":"x"}', ""],
  ['{"updateMask":"*","note":"x"}', "*"],
  ['{"updateMask":"nobody"}', "nobody"],
];

for (const [body, mask] of MASKS) {
  test(`a PATCH of ${body} changes "${mask}"`, () => {
    assert.equal(patchThing.message({ body })["updateMask"], mask);
  });
}

test("a mask is made for a PATCH only", () => {
  assert.deepEqual(postThing.message({ body: '{"note":"x"}' }), { ownerId: "o", note: "x" });
  assert.deepEqual(getThing.message({ query: "note=x" }), { id: "t", note: "x" });
});

test("the header of a retry is never part of a mask", () => {
  assert.equal(patchThing.message({ body: '{"note":"x"}', idempotencyKey: "k" })["updateMask"], "note");
});

test("a mask has the proto names of our own resources", () => {
  const body = '{"displayName":"x","roles":[],"status":"disabled","etag":"e"}';
  assert.deepEqual(updateAccount.message({ body }), {
    id: "sa-one",
    displayName: "x",
    status: "SERVICE_ACCOUNT_STATUS_DISABLED",
    updateMask: "displayName,roles,status",
    etag: "e",
  });
  const { updateMask } = updateAccount.read({ body }) as UpdateServiceAccountRequest;
  assert.deepEqual(updateMask?.paths, ["display_name", "roles", "status"]);
});

test("the header Idempotency-Key becomes the request id", () => {
  const sent = [{ idempotencyKey: "k" }, { body: '{"requestId":null}', idempotencyKey: "k" }];
  for (const one of [
    ...sent,
    { body: '{"requestId":"k"}', idempotencyKey: "k" },
    { body: '{"requestId":"k"}' },
  ]) {
    assert.deepEqual(createCredential.message(one), { serviceAccountId: "sa-one", requestId: "k" });
  }
  assert.deepEqual(getThing.message({ query: "requestId=k", idempotencyKey: "k" }), {
    id: "t",
    requestId: "k",
  });
});

test("a request id that is not its header's, and an empty header, are refused", () => {
  for (const requestId of ["other", "", "K", 7]) {
    const body = JSON.stringify({ requestId });
    assert.deepEqual(fieldsOf(createCredential.refused({ body, idempotencyKey: "k" })), ["request_id"]);
  }
  assert.deepEqual(fieldsOf(createCredential.refused({ idempotencyKey: "" })), ["request_id"]);
  assert.deepEqual(fieldsOf(getThing.refused({ query: "requestId=other", idempotencyKey: "k" })), [
    "request_id",
  ]);
});

test("the header is ignored where there is no request id", () => {
  for (const idempotencyKey of ["k", ""]) {
    assert.deepEqual(listAccounts.message({ idempotencyKey }), {});
    assert.deepEqual(updateAccount.message({ idempotencyKey }), { id: "sa-one", updateMask: "" });
  }
});

const modules = await Promise.all(globSync("gen/keyturn/**/*_pb.ts").map((file) => import(`../../${file}`)));
const methods = modules
  .flatMap((module) => Object.values(module as Record<string, DescFile>))
  .filter((value) => value?.kind === "file")
  .flatMap((file) => file.services.flatMap((service) => service.methods)) as DescMethodUnary[];
const routes = routesOf(methods);

test("every field of a request without a body can be sent in its path or its query", () => {
  const stuck = routes
    .filter(({ hasBody }) => !hasBody)
    .flatMap((route) =>
      route.method.input.fields.filter((field) => !isInPath(route, field) && !isParameter(field)),
    );
  assert.deepEqual(stuck.map(String), []);
  assert.ok(routes.some(({ hasBody }) => !hasBody));
});

test("every field that an update may name comes back from its mask as it is", () => {
  const updates = routes.filter(({ httpMethod }) => httpMethod === "PATCH");
  for (const { method } of updates) {
    const mask = method.input.fields.map(({ jsonName }) => jsonName).join(",");
    const snake = mask.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    assert.equal(snake, method.input.fields.map(({ name }) => name).join(","), method.name);
  }
  assert.equal(updates.length, 2);
});

test("durations of our own policy are a number of seconds that ends in s", () => {
  const policy = restClient(
    CredentialPolicyService.method.updateCredentialPolicy,
    "PATCH",
    `${IAM}/credential-policy`,
  );
  assert.deepEqual(policy.message({ body: '{"maxLifetime":"86400s","creation":"denied"}' }), {
    maxLifetime: "86400s",
    creation: "CREDENTIAL_CREATION_DENIED",
    updateMask: "maxLifetime,creation",
  });
  assert.deepEqual(policy.refused({ body: '{"maxLifetime":"1d"}' }), [
    { field: "max_lifetime", description: "must be a number of seconds that ends in s" },
  ]);
});
