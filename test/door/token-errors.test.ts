import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { rest } from "../support/clients.ts";
import { givenIssued, type IssuedCredential } from "../support/issued-credential.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import {
  assertOAuthError,
  basicOf,
  FORM,
  fieldsOf,
  postToken,
  TOKEN_PATHS,
  type TokenPost,
} from "../support/token-endpoint.ts";

let h: TestKeyturn;
let issued: IssuedCredential;
before(async () => {
  h = await givenKeyturn();
  issued = await givenIssued(h);
});
after(() => h.stop());

const grant = { grant_type: "client_credentials" };
const fields = (more: Readonly<Record<string, string>> = {}) => ({ ...fieldsOf(issued), ...more });
const text = () => new URLSearchParams(fields()).toString();
const basic = () => basicOf(issued.clientId, issued.secret);
const withBasic = (authorization: string): TokenPost => ({ form: grant, headers: { authorization } });
const plainBasic = (pair: string) => withBasic(`Basic ${Buffer.from(pair).toString("base64")}`);

/** Answered 400 `invalid_request`. */
const MALFORMED: Readonly<Record<string, () => TokenPost>> = {
  "the secret comes in the header and in a form": () => ({
    form: fields(),
    headers: { authorization: basic() },
  }),
  "the secret comes in the header and in JSON": () => ({
    json: fields(),
    headers: { authorization: basic() },
  }),
  "the header and the body name two clients": () => ({
    form: { ...grant, client_id: "other@org.iam" },
    headers: { authorization: basic() },
  }),
  "HTTP Basic is no base64": () => withBasic("Basic !!!"),
  "HTTP Basic is empty": () => withBasic("Basic"),
  "HTTP Basic has no colon": () => plainBasic("abc"),
  "HTTP Basic is badly form-encoded": () => plainBasic("%:%zz"),
  "HTTP Basic comes twice": () => withBasic(`${basic()}, ${basic()}`),
  "a field of a form comes twice": () => ({
    form: `${text()}&client_id=${encodeURIComponent(issued.clientId)}`,
  }),
  "a key of JSON comes twice": () => ({
    form: `{"grant_type":"client_credentials","grant_type":"x"}`,
    headers: { "content-type": "application/json" },
  }),
  "the body has a content encoding": () => ({ form: text(), headers: { "content-encoding": "gzip" } }),
  "JSON has a field that nobody knows": () => ({ json: fields({ audience: "x" }) }),
  "JSON has a key of quotes and no ASCII": () => ({ json: fields({ '"\\é': "x" }) }),
  "JSON is a list": () => ({ json: [fields()] }),
  "JSON has a number for a text": () => ({ json: { ...fields(), client_secret: 7 } }),
  "JSON is cut off": () => ({ form: '{"grant_type"', headers: { "content-type": "application/json" } }),
  "a form calls itself text": () => ({ form: text(), headers: { "content-type": "text/plain" } }),
  "a form calls itself JSON": () => ({ form: text(), headers: { "content-type": "application/json" } }),
  "the body is empty": () => ({}),
  "the body is empty beside HTTP Basic": () => ({ headers: { authorization: basic() } }),
  "the form is empty": () => ({ form: "" }),
  "the body is larger than any request": () => ({ form: fields({ other: "x".repeat(70_000) }) }),
  "the secret is longer than any": () => ({ form: fields({ client_secret: "x".repeat(1025) }) }),
  "the grant type is missing": () => ({ form: fields({ grant_type: "" }) }),
};

for (const [defect, post] of Object.entries(MALFORMED)) {
  test(`the answer is 400 invalid_request, and nothing more, when ${defect}`, async () => {
    for (const path of TOKEN_PATHS)
      assertOAuthError(await postToken(h, { path, ...post() }), 400, "invalid_request");
  });
}

test("a form that is no UTF-8 is refused", async () => {
  const body = Uint8Array.from([...Buffer.from("grant_type="), 0xff]);
  const headers = { "content-type": FORM };
  const answer = await rest(h, TOKEN_PATHS[1], { method: "POST", headers, body });
  assertOAuthError(answer, 400, "invalid_request");
});

const IN_THE_BODY_ONLY: Readonly<Record<string, () => string>> = {
  "the whole request": text,
  "the secret": () => `client_secret=${issued.secret}`,
  "the secret beside what nobody knows": () => `foo=1&client_secret=${issued.secret}`,
  "the secret under a name with escapes": () => `client%5Fsecre%74=${issued.secret}`,
  "the client id": () => `client_id=${issued.clientId}`,
  "an empty scope": () => "scope=",
  "an access token": () => "access_token=x",
  "a token": () => "token=x",
};

for (const [what, query] of Object.entries(IN_THE_BODY_ONLY)) {
  test(`${what} must not stand in the query, at none of the endpoints`, async () => {
    for (const path of TOKEN_PATHS)
      assertOAuthError(
        await postToken(h, { path: `${path}?${query()}`, form: fields() }),
        400,
        "invalid_request",
      );
    const token = await h.token(issued.organizationId);
    for (const path of ["introspect", "revoke"]) {
      const target = `/oauth2/${path}?${query()}`;
      const answer = await rest(h, target, {
        method: "POST",
        token,
        body: new URLSearchParams({ token: "x" }),
      });
      assertOAuthError(answer, 400, "invalid_request");
    }
  });
}

test("every grant type but client_credentials is unsupported, however it is spelt", async () => {
  for (const name of ["password", "refresh_token", "authorization_code", "CLIENT_CREDENTIALS", "x"]) {
    const answer = await postToken(h, { form: fields({ grant_type: name }) });
    assertOAuthError(answer, 400, "unsupported_grant_type");
    assert.equal(answer.headers.get("www-authenticate"), null);
  }
});

const UNKNOWN: Readonly<Record<string, () => TokenPost>> = {
  "no client": () => ({ form: grant }),
  "no client id": () => ({ form: fields({ client_id: "" }) }),
  "no secret": () => ({ form: fields({ client_secret: "" }) }),
  "a word for a secret": () => ({ form: fields({ client_secret: "wrong" }) }),
  "a client id in capitals": () => ({ form: fields({ client_id: issued.clientId.toUpperCase() }) }),
  "a colon before the secret in HTTP Basic": () => plainBasic(`${issued.clientId}::${issued.secret}`),
  "a colon behind the secret in HTTP Basic": () => plainBasic(`${issued.clientId}:${issued.secret}:`),
  "a space behind the client id in HTTP Basic": () => plainBasic(`${issued.clientId}+:${issued.secret}`),
  "bytes that are no UTF-8 in HTTP Basic": () => withBasic("Basic /zr/"),
};

for (const [what, post] of Object.entries(UNKNOWN)) {
  test(`${what} is 401 invalid_client with a challenge for HTTP Basic`, async () => {
    for (const path of TOKEN_PATHS) {
      const answer = await postToken(h, { path, ...post() });
      assertOAuthError(answer, 401, "invalid_client");
      assert.equal(answer.headers.get("www-authenticate"), 'Basic realm="keyturn", charset="UTF-8"');
    }
  });
}
