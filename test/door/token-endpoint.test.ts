import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type RestAnswer, rest } from "../support/clients.ts";
import { givenIssued, type IssuedCredential } from "../support/issued-credential.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import {
  assertNotKept,
  basicOf,
  claimsOf,
  fieldsOf,
  postToken,
  TOKEN_PATHS,
  type TokenPost,
} from "../support/token-endpoint.ts";

let h: TestKeyturn;
let issued: IssuedCredential;
before(async () => {
  h = await givenKeyturn();
  issued = await givenIssued(h, { roles: ["reader", "writer"] });
});
after(() => h.stop());

const form = (more: Readonly<Record<string, string>> = {}) => ({ ...fieldsOf(issued), ...more });
const grant = { grant_type: "client_credentials" };

function assertGranted(answer: RestAnswer): void {
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(Object.keys(answer.body).sort(), [
    "access_token",
    "credential_expires_at",
    "expires_in",
    "token_type",
  ]);
  assert.equal(answer.body.token_type, "Bearer");
  assert.equal(answer.body.expires_in, 900);
  assert.equal(answer.body.credential_expires_at, issued.expiresAt);
  assert.equal(claimsOf(answer.body.access_token).sub, issued.clientId);
  assertNotKept(answer);
}

/** The client id as form-encoding has it, and as clients send it that never heard of that. */
const rawBasic = () => `Basic ${Buffer.from(`${issued.clientId}:${issued.secret}`).toString("base64")}`;

const WAYS: readonly (readonly [way: string, post: () => TokenPost])[] = [
  ["a form", () => ({ form: form() })],
  [
    "a form with its charset",
    () => ({ form: form(), headers: { "content-type": "Application/X-WWW-Form-Urlencoded; charset=UTF-8" } }),
  ],
  ["JSON", () => ({ json: form() })],
  ["JSON with members that are null", () => ({ json: { ...form(), scope_narrowing: null } })],
  ["HTTP Basic and a form", () => ({ form: grant, basic: [issued.clientId, issued.secret] })],
  ["HTTP Basic and JSON", () => ({ json: grant, basic: [issued.clientId, issued.secret] })],
  ["HTTP Basic that was not form-encoded", () => ({ form: grant, headers: { authorization: rawBasic() } })],
  [
    "HTTP Basic in lower case",
    () => ({
      form: grant,
      headers: { authorization: basicOf(issued.clientId, issued.secret).replace("Basic", "basic") },
    }),
  ],
  [
    "HTTP Basic with the same client id in the body",
    () => ({ form: { ...grant, client_id: issued.clientId }, basic: [issued.clientId, issued.secret] }),
  ],
  [
    "HTTP Basic and JSON whose client id and secret are null",
    () => ({
      json: { ...grant, client_id: null, client_secret: null },
      basic: [issued.clientId, issued.secret],
    }),
  ],
  ["a form with fields that nobody knows", () => ({ form: form({ audience: "x", resource: "y" }) })],
  [
    "a form with a field that nobody knows, more than once",
    () => ({ form: `${new URLSearchParams(form())}&resource=x&resource=y` }),
  ],
  ["a form with an empty field, which is one left out", () => ({ form: form({ scope_narrowing: "" }) })],
  [
    "a form beside a bearer token that nobody needs",
    () => ({ form: form(), headers: { authorization: "Bearer nonsense" } }),
  ],
];

for (const path of TOKEN_PATHS) {
  for (const [way, post] of WAYS) {
    test(`${path} grants a token, and no refresh token, for ${way}`, async () => {
      assertGranted(await postToken(h, { path, ...post() }));
    });
  }
}

test("what nobody knows is ignored in the query, as RFC 6749 section 3.2 wants it", async () => {
  for (const path of TOKEN_PATHS) {
    for (const query of ["foo=1", "foo=1&foo=2", "=", "%zz=%ff", "Client_Secret=x", "clientSecret=x"]) {
      assertGranted(await postToken(h, { path: `${path}?${query}`, form: form() }));
      assertGranted(await postToken(h, { path: `${path}?${query}`, json: form() }));
    }
  }
});

test("client id and secret in HTTP Basic are form-decoded: %40 is an @", async () => {
  const basic = (id: string) => ({
    authorization: `Basic ${Buffer.from(`${id}:${issued.secret}`).toString("base64")}`,
  });
  const encoded = issued.clientId.replace("@", "%40").replaceAll("-", "%2D");
  assertGranted(await postToken(h, { form: grant, headers: basic(encoded) }));
});

test("the endpoint is there for POST only", async () => {
  for (const path of TOKEN_PATHS) {
    for (const method of ["GET", "HEAD", "PUT", "DELETE"]) {
      const res = await rest(h, path, { method });
      assert.equal(res.status, 405, `${method} ${path}`);
      assert.equal(res.headers.get("allow"), "POST");
    }
  }
});
