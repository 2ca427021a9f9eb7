import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { type Administrator, bodyOf, givenAdministrator } from "../support/administrator.ts";
import { eventually } from "../support/eventually.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import {
  assertDocumented,
  assertFits,
  bodySchemaOf,
  OPERATIONS,
  type Operation,
} from "../support/openapi.ts";
import { callAsDocumented, type Sent } from "../support/openapi-caller.ts";
import { basicOf } from "../support/token-endpoint.ts";

const ACCOUNT = "sa-documented";

let h: TestKeyturn;
let admin: Administrator;
let credential: Record<string, string>;
let accessToken: string;
before(async () => {
  h = await givenKeyturn();
  admin = await givenAdministrator(h);
  for (const id of [ACCOUNT, "sa-other", "sa-leaving"])
    bodyOf(await admin.post("/service-accounts", { id, displayName: "Documented", roles: ["reader"] }), 201);
  credential = bodyOf(await admin.post(`/service-accounts/${ACCOUNT}/credentials`, LABELLED), 201);
  await eventually(async () => {
    const { status, body } = await callAsDocumented(h, named("mintToken"), { form: asClient() });
    accessToken = body.access_token;
    return status === 200;
  });
});
after(() => h.stop());

const LABELLED = { displayName: "one", labels: { a: "b" }, allowedCidrs: ["127.0.0.0/8"] };

const asClient = () => ({
  grant_type: "client_credentials",
  client_id: `${ACCOUNT}@${admin.organizationId}.iam`,
  client_secret: credential["clientSecret"] ?? "",
});

const account = { serviceAccountId: ACCOUNT };
const theCredential = () => ({ ...account, id: credential["id"] ?? "" });
const another = async () => {
  const made = bodyOf(await admin.post("/service-accounts/sa-other/credentials"), 201);
  return { serviceAccountId: "sa-other", id: made.id as string };
};
const dry = { body: { validateOnly: true } };
const idempotent = () => ({ "idempotency-key": randomUUID(), "x-request-id": "documented-1" });
const introspected = () => [200, { form: { token: accessToken } }] as const;

type Calls = readonly (readonly [httpStatus: number, sent: Sent])[];

/** Calls that succeed, of every operation, in an order in which each can be made after the others. */
const GOOD: Readonly<Record<string, () => Calls | Promise<Calls>>> = {
  createCredential: () => [
    [201, { path: account }],
    [201, { path: account, headers: idempotent(), body: LABELLED }],
    [200, { path: account, ...dry }],
  ],
  listCredentials: () => [
    [200, { path: account }],
    [200, { path: account, query: { offset: 0, status: "active", neverUsed: true, pageSize: 1 } }],
  ],
  getCredential: () => [[200, { path: theCredential() }]],
  rotateCredential: async () => [
    [200, { path: theCredential(), ...dry }],
    [201, { path: await another(), headers: idempotent(), body: { gracePeriod: "60.5s" } }],
  ],
  deleteCredential: async () => [
    [200, { path: theCredential(), query: { validateOnly: true } }],
    [204, { path: await another() }],
  ],
  listRefusedUses: () => [[200, { path: account, query: { pageSize: 500 } }]],
  revokeAllCredentials: () => [
    [200, { ...dry }],
    [200, { body: { exemptServiceAccountIds: [ACCOUNT] } }],
  ],
  revokeAllCredentialsOfServiceAccount: () => [[200, { path: { serviceAccountId: "sa-other" } }]],
  createServiceAccount: () => [
    [200, { body: { id: "sa-new", displayName: "New", validateOnly: true } }],
    [201, { body: { id: "sa-new", displayName: "New", scope: "project", scopeId: "p1", roles: ["reader"] } }],
  ],
  listServiceAccounts: () => [
    [200, { query: { pageSize: 1 } }],
    [200, { query: { scope: "project", status: "active", offset: 0 } }],
  ],
  getServiceAccount: () => [[200, { path: { id: ACCOUNT } }]],
  updateServiceAccount: () => [
    [200, { path: { id: "sa-other" }, body: { status: "disabled", description: "d" } }],
    [200, { path: { id: "sa-other" }, body: { roles: [], updateMask: "roles", validateOnly: true } }],
  ],
  deleteServiceAccount: () => [
    [200, { path: { id: "sa-leaving" }, query: { validateOnly: true } }],
    [204, { path: { id: "sa-leaving" } }],
  ],
  getCredentialPolicy: () => [[200, {}]],
  updateCredentialPolicy: () => [
    [
      200,
      {
        body: {
          minLifetime: "31536000s",
          maxLifetime: "31536000s",
          defaultLifetime: "31536000s",
          validateOnly: true,
        },
      },
    ],
    [200, { body: { maxActiveCredentials: 4 } }],
  ],
  listAuditEvents: () => [[200, { query: { orderBy: "occurred_at desc", since: "2020-01-01T00:00:00Z" } }]],
  reportLeakedCredential: () => [[200, { body: { clientSecret: "plt_cs_found_somewhere" } }]],
  mintToken: () => [
    [200, { form: asClient() }],
    [200, { body: asClient() }],
    [200, { form: { grant_type: "client_credentials" }, headers: { authorization: basic() } }],
  ],
  mintTokenAlias: () => [[200, { form: { ...asClient(), scope_narrowing: "reader" } }]],
  introspectToken: () => [introspected(), [200, { body: { token: "none of ours" } }]],
  introspectTokenAlias: () => [introspected()],
  revokeToken: () => [[200, { form: { token: "none of ours" } }]],
  revokeTokenAlias: () => [[200, { body: { token: "none of ours", token_type_hint: "access_token" } }]],
  getKeySet: () => [[200, {}]],
  getServerMetadata: () => [[200, {}]],
  getOpenidConfiguration: () => [[200, {}]],
};

const basic = () => basicOf(asClient().client_id, asClient().client_secret);
const named = (operationId: string): Operation => {
  const found = OPERATIONS.find((operation) => operation.operationId === operationId);
  assert.ok(found !== undefined, operationId);
  return found;
};
const wantsToken = ({ security }: Operation) => security.some((scheme) => "bearerAuth" in scheme);
const tokenFor = (operation: Operation) => (wantsToken(operation) ? admin.token : undefined);
/** Ids that are well formed and of nothing. */
const NOWHERE = { serviceAccountId: "sa-nowhere", id: "cred-nowhere" };

test("every operation of the document is called here", () => {
  assert.deepEqual(Object.keys(GOOD).toSorted(), OPERATIONS.map(({ operationId }) => operationId).toSorted());
});

/** What the published reference has, and what everybody may call; the rest is ours, and shown to the platform's own only. */
const PUBLISHED =
  /^(create|list|get|delete|update)(Credentials?|ServiceAccounts?)$|Token(Alias)?$|^reportLeakedCredential$|^get(KeySet|ServerMetadata|OpenidConfiguration)$/;

test("operations of the published reference are public, and those beyond it internal", () => {
  for (const { operationId, visibility } of OPERATIONS)
    assert.deepEqual(
      visibility,
      PUBLISHED.test(operationId) ? ["public", "internal"] : ["internal"],
      operationId,
    );
});

for (const [operationId, calls] of Object.entries(GOOD)) {
  test(`${operationId} takes what the document has and answers as it says`, async () => {
    const operation = named(operationId);
    for (const [httpStatus, sent] of await calls()) {
      const schema = bodySchemaOf(operation);
      if (schema !== undefined)
        assertFits(schema, sent.form ?? sent.body ?? {}, `the body of ${operationId}`);
      const names = Object.keys({ ...sent.path, ...sent.query });
      for (const name of names)
        assert.ok(
          operation.parameters.some((parameter) => parameter.name === name),
          `${operationId} ${name}`,
        );
      const answer = await callAsDocumented(h, operation, { token: tokenFor(operation), ...sent });
      assert.equal(answer.status, httpStatus, answer.text);
      assertDocumented(operation, answer);
    }
  });
}

for (const operation of OPERATIONS.filter(wantsToken)) {
  test(`${operation.operationId} refuses as the document says`, async () => {
    const member = await h.token(admin.organizationId, { roles: ["member"] });
    const send = async (sent: Sent, ...expected: number[]) => {
      const answer = await callAsDocumented(h, operation, { path: NOWHERE, token: admin.token, ...sent });
      assert.ok(expected.includes(answer.status), `${answer.status} ${answer.text}`);
      assertDocumented(operation, answer);
    };
    await send({ token: undefined }, 401);
    await send({ token: member }, 403, 404);
    if (operation.path.startsWith("/v1/regions/global/iam"))
      await send({ query: { expiresat: "x" }, body: { expiresat: "x" } }, 400);
    if (operation.path.includes("{"))
      await send({ body: operation.httpMethod === "PATCH" ? { roles: [] } : {} }, 404);
    if (operation.body !== undefined) await send({ headers: { "content-type": "text/plain" } }, 415, 400);
    if (operation.body !== undefined) await send({ body: { note: "x".repeat(70_000) } }, 413, 400);
  });
}

test("refusals by the rules of credentials are as the document says", async () => {
  const create = named("createCredential");
  const refused = async (operation: Operation, sent: Sent, httpStatus: number) => {
    const answer = await callAsDocumented(h, operation, { token: admin.token, ...sent });
    assert.equal(answer.status, httpStatus, answer.text);
    assertDocumented(operation, answer);
  };
  for (const expiresAt of ["2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z"])
    await refused(create, { path: account, body: { expiresAt } }, 422);
  for (const _ of [1, 2, 3, 4, 5]) await callAsDocumented(h, create, { path: account, token: admin.token });
  await refused(create, { path: account }, 409);
  await refused(named("deleteCredential"), { path: theCredential(), query: { etag: "older" } }, 409);
  await refused(named("createServiceAccount"), { body: { id: ACCOUNT, displayName: "Again" } }, 409);
  await refused(named("mintToken"), { token: undefined, form: { grant_type: "password" } }, 400);
  await refused(named("mintToken"), { token: undefined, form: { ...asClient(), client_secret: "no" } }, 401);
});
