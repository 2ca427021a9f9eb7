import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TokenService } from "../../gen/keyturn/v1/token_service_pb.ts";
import { type RestAnswer, rest } from "../support/clients.ts";
import { eventually } from "../support/eventually.ts";
import { givenIssued, type IssuedCredential } from "../support/issued-credential.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { overConnect, overGrpc } from "../support/rpc-callers.ts";
import { makeSigningKey, signToken } from "../support/token.ts";
import {
  assertNotKept,
  assertOAuthError,
  bytesOf,
  claimsOf,
  fieldsOf,
  mintedToken,
  postToken,
} from "../support/token-endpoint.ts";

const PATHS = ["/v1/regions/global/auth/introspect", "/oauth2/introspect"] as const;
const INACTIVE = '{"active":false}';

let h: TestKeyturn;
let issued: IssuedCredential;
let token: string;
let verifier: string;
before(async () => {
  h = await givenKeyturn();
  issued = await givenIssued(h, { roles: ["reader"] });
  token = await mintedToken(h, issued);
  verifier = await bearer("verifier");
});
after(() => h.stop());

const bearer = (role: string, organizationId = issued.organizationId): Promise<string> =>
  h.token(organizationId, { roles: [role] });

const introspect = (
  about: string,
  caller: string | undefined,
  path: string = PATHS[0],
): Promise<RestAnswer> =>
  rest(h, path, {
    method: "POST",
    body: new URLSearchParams({ token: about }),
    ...(caller === undefined ? {} : { token: caller }),
  });

const expected = () => ({ active: true, ...claimsOf(token), token_type: "Bearer" });

for (const [who, role] of [
  ["a verifier", "verifier"],
  ["an administrator", "admin"],
  ["a verifier of the platform", "platform-verifier"],
] as const) {
  test(`${who} is told what a token of the organization says`, async () => {
    for (const path of PATHS) {
      const answer = await introspect(token, await bearer(role), path);
      assert.equal(answer.status, 200, answer.text);
      assert.deepEqual(answer.body, expected());
      assertNotKept(answer);
    }
  });
}

test("a verifier of the platform is told of tokens of every organization, and nobody else of another's", async () => {
  const { organizationId: other } = await h.givenAccount();
  assert.deepEqual((await introspect(token, await bearer("platform-verifier", other))).body, expected());
  for (const role of ["verifier", "admin"]) {
    const answer = await introspect(token, await bearer(role, other));
    assert.deepEqual([answer.status, answer.text], [200, INACTIVE]);
  }
});

test("a token as JSON, with a hint, with fields that nobody knows: it is the same", async () => {
  const json = (body: object) =>
    rest(h, PATHS[0], {
      method: "POST",
      token: verifier,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  assert.deepEqual((await json({ token })).body, expected());
  assert.deepEqual((await json({ token, token_type_hint: "refresh_token" })).body, expected());
  assertOAuthError(await json({ token, colour: "red" }), 400, "invalid_request");
  const body = new URLSearchParams({ token, token_type_hint: "access_token", colour: "red" });
  assert.deepEqual((await rest(h, PATHS[1], { method: "POST", token: verifier, body })).body, expected());
});

/** Each is no token of ours that holds. */
const STRANGE: Readonly<Record<string, () => Promise<string> | string>> = {
  "a word": () => "nonsense",
  "three empty parts": () => "..",
  "characters that no token has": () => "\u0000é\uD83D\uDE00 \n",
  "a client secret": () => issued.secret,
  "the caller's own bearer token": () => verifier,
  "a token with another signature": () => `${token.slice(0, -8)}AAAAAAAA`,
  "a token whose claims were changed": () => {
    const [header, , signature] = token.split(".");
    const claims = JSON.stringify({ ...claimsOf(token), roles: ["owner"] });
    return `${header}.${Buffer.from(claims).toString("base64url")}.${signature}`;
  },
  "a token of a strange key under our key's name": async () => {
    const { kid } = JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString());
    return signToken(h.httpUrl, await makeSigningKey("ES256", kid), { claims: claimsOf(token) }, Date.now());
  },
  "a token of a key that nobody knows": async () =>
    signToken(h.httpUrl, await makeSigningKey(), { claims: claimsOf(token) }, Date.now()),
};

for (const [what, make] of Object.entries(STRANGE)) {
  test(`${what} is inactive, and nothing else is said of it`, async () => {
    for (const path of PATHS) {
      const answer = await introspect(await make(), verifier, path);
      assert.deepEqual([answer.status, answer.text], [200, INACTIVE]);
      assertNotKept(answer);
    }
  });
}

test("a token is inactive from the second in which it expires, however long its credential lives", async () => {
  const brief = await givenIssued(h);
  const endsIn = (seconds: number) => h.db.sql`
    update keyturn.credentials set expires_at = clock_timestamp() + make_interval(secs => ${seconds}) where id = ${brief.id}`;
  await endsIn(3);
  const about = await mintedToken(h, brief);
  await endsIn(600);
  const caller = await bearer("verifier", brief.organizationId);
  const { exp = 0, iat = 0 } = claimsOf(about);
  assert.ok(exp - iat <= 3);
  const last = await eventually(async () => {
    const { text } = await introspect(about, caller);
    return text === INACTIVE && text;
  });
  assert.equal(last, INACTIVE);
  const [clock] = await h.db.sql`select extract(epoch from clock_timestamp())::float8 as seconds`;
  assert.ok(clock?.["seconds"] >= exp - 0.5, `${clock?.["seconds"]} ${exp}`);
  assert.equal((await postToken(h, { form: fieldsOf(brief) })).status, 200);
});

test("what nobody knows is ignored in the query", async () => {
  for (const path of PATHS) {
    const answer = await introspect(token, verifier, `${path}?foo=1&foo=2`);
    assert.deepEqual([answer.status, answer.body], [200, expected()]);
  }
});

test("a token that is missing, sent twice or longer than any is an invalid request", async () => {
  for (const body of ["", "token=", `token=${token}&token=${token}`, `token=${"x".repeat(16_385)}`]) {
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const answer = await rest(h, PATHS[0], { method: "POST", token: verifier, headers, body });
    assertOAuthError(answer, 400, "invalid_request");
  }
});

test("a member learns nothing, whatever the token", async () => {
  const member = await bearer("member");
  const answers = await Promise.all([token, "nonsense"].map((about) => introspect(about, member)));
  for (const answer of answers) assertOAuthError(answer, 403, "insufficient_scope");
  assert.match(answers[0]?.headers.get("www-authenticate") ?? "", /^Bearer .*error="insufficient_scope"/);
  assert.equal(new Set(answers.map(bytesOf)).size, 1);
});

test("who has no bearer token, or presents his client secret instead, is asked for one", async () => {
  const anonymous = await introspect(token, undefined);
  assertOAuthError(anonymous, 401, "invalid_token");
  assert.equal(anonymous.headers.get("www-authenticate"), 'Bearer realm="keyturn"');
  const basic = await rest(h, PATHS[1], {
    method: "POST",
    headers: {
      authorization: `Basic ${Buffer.from(`${issued.clientId}:${issued.secret}`).toString("base64")}`,
    },
    body: new URLSearchParams({ token }),
  });
  assertOAuthError(basic, 401, "invalid_token");
  assert.match(basic.headers.get("www-authenticate") ?? "", /^Bearer /);
});

test("introspection gives the same over gRPC and Connect, where inactive is the one field too", async () => {
  for (const caller of [overGrpc(h), overConnect(h, "Connect JSON")]) {
    const ask = async (about: string, role: string) =>
      caller.call(
        TokenService.method.introspectToken,
        { token: about },
        { authorization: `Bearer ${await bearer(role)}` },
      );
    assert.deepEqual((await ask(token, "verifier")).body, expected());
    assert.deepEqual((await ask("nonsense", "verifier")).body, { active: false });
    assert.equal((await ask(token, "member")).reason, "PERMISSION_DENIED");
    caller.close();
  }
});
