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

const narrowed = (issued: IssuedCredential, scopeNarrowing: string) =>
  claimedBy(issued, { scope_narrowing: scopeNarrowing });

async function claimedBy(issued: IssuedCredential, asked: Readonly<Record<string, string>>) {
  const { roles, scope, scope_id } = claimsOf(await mintedToken(h, issued, asked));
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

test("scope is scope_narrowing by the name that RFC 6749 has for it, and both may be sent with the same words", async () => {
  const narrowedToReader = { roles: ["reader"], scope: "project", scopeId: "borea" };
  for (const asked of [
    { scope: "reader project:borea" },
    { scope: "reader project:borea", scope_narrowing: "" },
    { scope: "  ", scope_narrowing: "reader project:borea" },
    { scope: "project:borea  reader reader", scope_narrowing: "reader project:borea" },
  ]) {
    assert.deepEqual(await claimedBy(ofOrganization, asked), narrowedToReader, JSON.stringify(asked));
    const answer = await postToken(h, { json: { ...fieldsOf(ofOrganization), ...asked } });
    assert.deepEqual(claimsOf(answer.body.access_token)["roles"], ["reader"]);
  }
});

test("scope and scope_narrowing that differ are invalid_request, whatever they name", async () => {
  for (const [scope, scope_narrowing] of [
    ["reader", "writer"],
    ["reader writer", "reader"],
    ["reader", "reader writer"],
    ["owner", "nobody"],
  ] as const) {
    const asked = { ...fieldsOf(ofOrganization), scope, scope_narrowing };
    assertOAuthError(await postToken(h, { form: asked }), 400, "invalid_request");
    assertOAuthError(await postToken(h, { json: asked }), 400, "invalid_request");
  }
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
    for (const name of ["scope_narrowing", "scope"]) {
      const asked = { ...fieldsOf(issued), [name]: narrowing };
      assertOAuthError(await postToken(h, { json: asked }), 400, "invalid_scope");
      assertOAuthError(await postToken(h, { form: asked }), 400, "invalid_scope");
    }
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
