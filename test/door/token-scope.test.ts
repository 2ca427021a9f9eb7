import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { rest } from "../support/clients.ts";
import { givenIssued, type IssuedCredential } from "../support/issued-credential.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { assertOAuthError, claimsOf, fieldsOf, mintedToken, postToken } from "../support/token-endpoint.ts";

const ROLES = ["admin", "reader", "writer"];

let h: TestKeyturn;
let ofOrganization: IssuedCredential;
let ofProject: IssuedCredential;
before(async () => {
  h = await givenKeyturn();
  ofOrganization = await givenIssued(h, { roles: ROLES });
  ofProject = await givenIssued(h, { roles: ROLES, project: "atlas" });
});
after(() => h.stop());

async function narrowed(issued: IssuedCredential, scopeNarrowing: string) {
  const { roles, scope, scope_id } = claimsOf(
    await mintedToken(h, issued, { scope_narrowing: scopeNarrowing }),
  );
  return { roles, scope, scopeId: scope_id };
}

test("without a narrowing a token has all that its account has", async () => {
  const organization = { roles: ROLES, scope: "organization", scopeId: ofOrganization.organizationId };
  assert.deepEqual(await narrowed(ofOrganization, ""), organization);
  assert.deepEqual(await narrowed(ofOrganization, "   "), organization);
  assert.deepEqual(await narrowed(ofProject, ""), { roles: ROLES, scope: "project", scopeId: "atlas" });
});

test("a narrowing to some of the roles leaves the token those, each once", async () => {
  const { organizationId } = ofOrganization;
  for (const [asked, roles] of [
    ["reader", ["reader"]],
    ["writer reader", ["writer", "reader"]],
    ["reader  reader", ["reader"]],
  ] as const) {
    assert.deepEqual(await narrowed(ofOrganization, asked), {
      roles,
      scope: "organization",
      scopeId: organizationId,
    });
  }
});

test("a narrowing to a project leaves an account of the organization that project, with the roles that are named", async () => {
  const project = { scope: "project", scopeId: "borea" };
  assert.deepEqual(await narrowed(ofOrganization, "project:borea"), { roles: ROLES, ...project });
  assert.deepEqual(await narrowed(ofOrganization, "reader project:borea"), { roles: ["reader"], ...project });
  assert.deepEqual(await narrowed(ofOrganization, "project:borea project:borea"), {
    roles: ROLES,
    ...project,
  });
});

test("an account of a project may name that project, and stays in it", async () => {
  const project = { scope: "project", scopeId: "atlas" };
  assert.deepEqual(await narrowed(ofProject, "project:atlas"), { roles: ROLES, ...project });
  assert.deepEqual(await narrowed(ofProject, "reader"), { roles: ["reader"], ...project });
});

const NOT_HELD: readonly (readonly [what: string, of: "organization" | "project", narrowing: string])[] = [
  ["a role that the account has not", "organization", "reader owner"],
  ["a role in other capitals", "organization", "Reader"],
  ["a part of a role", "organization", "read"],
  ["two projects", "organization", "project:atlas project:borea"],
  ["a project without a name", "organization", "project:"],
  ["a project of characters that no project has", "organization", "project:a/b"],
  ["a tab between two roles", "organization", "reader\twriter"],
  ["another project than the account's own", "project", "project:borea"],
  ["a role that an account of a project has not", "project", "owner"],
];

for (const [what, of, narrowing] of NOT_HELD) {
  test(`a narrowing to ${what} gets no token but invalid_scope`, async () => {
    const issued = of === "organization" ? ofOrganization : ofProject;
    const answer = await postToken(h, { json: { ...fieldsOf(issued), scope_narrowing: narrowing } });
    assertOAuthError(answer, 400, "invalid_scope");
  });
}

test("who has not the secret is not told whether the account has a role", async () => {
  const wrong = { ...fieldsOf(ofOrganization), client_secret: "wrong" };
  const answers = await Promise.all(
    ["reader", "owner"].map((role) => postToken(h, { form: { ...wrong, scope_narrowing: role } })),
  );
  for (const answer of answers) assertOAuthError(answer, 401, "invalid_client");
});

test("introspection says of a token what it was narrowed to", async () => {
  const token = await mintedToken(h, ofOrganization, { scope_narrowing: "reader project:borea" });
  const { body } = await rest(h, "/oauth2/introspect", {
    method: "POST",
    token: await h.token(ofOrganization.organizationId),
    body: new URLSearchParams({ token }),
  });
  assert.deepEqual([body.roles, body.scope, body.scope_id], [["reader"], "project", "borea"]);
});
