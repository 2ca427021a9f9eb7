import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { decodeProtectedHeader } from "jose";
import { TokenService } from "../../gen/keyturn/v1/token_service_pb.ts";
import { rest } from "../support/clients.ts";
import { givenIssued } from "../support/issued-credential.ts";
import { AUDIENCE, givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { overConnect, overGrpc, type RpcCaller } from "../support/rpc-callers.ts";
import { searchFor } from "../support/secret-search.ts";
import { claimsOf, fieldsOf, mintedToken, postToken } from "../support/token-endpoint.ts";

let h: TestKeyturn;
let callers: RpcCaller[] = [];
before(async () => {
  h = await givenKeyturn();
  callers = [
    overGrpc(h),
    overConnect(h, "Connect JSON"),
    overConnect(h, "Connect proto"),
    overConnect(h, "gRPC-Web"),
  ];
});
after(async () => {
  for (const caller of callers) caller.close();
  await h.stop();
});

const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();

test("a token is a JWT of the type at+jwt with exactly these claims", async () => {
  const issued = await givenIssued(h, { roles: ["reader"], project: "atlas" });
  const token = await mintedToken(h, issued);
  const { kid, ...header } = decodeProtectedHeader(token);
  assert.deepEqual(header, { alg: "ES256", typ: "at+jwt" });
  const { keys } = (await (await fetch(`${h.httpUrl}/.well-known/jwks.json`)).json()) as {
    keys: { kid: string }[];
  };
  assert.ok(keys.some((key) => key.kid === kid));
  const { iat = 0, exp = 0, jti, ...claims } = claimsOf(token);
  assert.deepEqual(claims, {
    iss: h.httpUrl,
    aud: AUDIENCE,
    sub: issued.clientId,
    client_id: issued.clientId,
    tenant_id: issued.organizationId,
    scope: "project",
    scope_id: "atlas",
    roles: ["reader"],
    principal_type: "service_account",
    credential_id: issued.id,
  });
  assert.equal(exp - iat, 900);
  assert.match(String(jti), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.notEqual(claimsOf(await mintedToken(h, issued)).jti, jti);
});

test("a token of a credential that ends sooner ends with it, to the second and never later", async () => {
  for (const seconds of [100, 800]) {
    const issued = await givenIssued(h, {}, { expiresAt: inSeconds(seconds) });
    const { body } = await postToken(h, { form: fieldsOf(issued) });
    const { iat = 0, exp = 0 } = claimsOf(body.access_token);
    assert.equal(body.expires_in, exp - iat);
    const end = Date.parse(issued.expiresAt) / 1000;
    assert.ok(exp <= end && exp > end - 2, `${exp} ${end}`);
  }
});

test("a credential that has longer than fifteen minutes gives fifteen minutes", async () => {
  const issued = await givenIssued(h, {}, { expiresAt: inSeconds(1_000) });
  const { body } = await postToken(h, { form: fieldsOf(issued) });
  assert.equal(body.expires_in, 900);
});

test("the answer says when the credential expires, and that this is soon within KEYTURN_EXPIRY_WARNING only", async () => {
  const day = 86_400;
  const soon = await givenIssued(h, {}, { expiresAt: inSeconds(14 * day - 60) });
  const later = await givenIssued(h, {}, { expiresAt: inSeconds(14 * day + 600) });
  const [near, far] = await Promise.all(
    [soon, later].map((issued) => postToken(h, { form: fieldsOf(issued) })),
  );
  assert.equal(near?.body.credential_expires_at, soon.expiresAt);
  assert.equal(near?.body.credential_expires_soon, true);
  assert.equal(far?.body.credential_expires_soon, undefined);
});

test("MintToken gives tokens over gRPC, Connect and gRPC-Web too, without a bearer token, with our own errors", async () => {
  const issued = await givenIssued(h, { roles: ["reader"] });
  const req = { grantType: "client_credentials", clientId: issued.clientId, clientSecret: issued.secret };
  for (const caller of callers) {
    const ask = async (changed: Partial<typeof req & { scopeNarrowing: string }>) =>
      (await caller.call(TokenService.method.mintToken, { ...req, ...changed }, {})).reason;
    const { body } = await caller.call(TokenService.method.mintToken, req, {});
    assert.equal(claimsOf(body.access_token).sub, issued.clientId, caller.door);
    assert.deepEqual([body.token_type, body.expires_in], ["Bearer", 900]);
    assert.equal(await ask({ grantType: "" }), "INVALID_REQUEST");
    assert.equal(await ask({ grantType: "password" }), "UNSUPPORTED_GRANT_TYPE");
    assert.equal(await ask({ clientSecret: "wrong" }), "INVALID_CLIENT");
    assert.equal(await ask({ scopeNarrowing: "owner" }), "INVALID_SCOPE");
    assert.equal(await ask({ clientSecret: "x".repeat(1025) }), "INVALID_ARGUMENT");
  }
});

test("neither secret nor token is logged or written to the database", async () => {
  const issued = await givenIssued(h);
  const token = await mintedToken(h, issued);
  await postToken(h, { form: { ...fieldsOf(issued), grant_type: issued.secret, other: issued.secret } });
  await postToken(h, { json: { [issued.secret]: issued.secret } });
  await postToken(h, { path: `/oauth2/token?${issued.secret}`, form: fieldsOf(issued) });
  const verifier = await h.token(issued.organizationId, { roles: ["verifier"] });
  for (const path of ["/oauth2/introspect", "/oauth2/revoke"]) {
    const { status } = await rest(h, path, {
      method: "POST",
      token: verifier,
      body: new URLSearchParams({ token }),
    });
    assert.equal(status, 200);
  }
  const search = searchFor([issued.secret.slice(-60), token.split(".")[1] ?? "", token.split(".")[2] ?? ""]);
  assert.match(h.log(), /"rpc_method":"MintToken"/);
  assert.deepEqual(search.find(h.log()), []);
  const tables = await h.db.sql<{ name: string }[]>`
    select quote_ident(tablename) as name from pg_tables where schemaname = 'keyturn'`;
  for (const { name } of tables) {
    const rows = await h.db.sql.unsafe(`select one::text as row from keyturn.${name} one`);
    assert.deepEqual(search.find(rows.map(({ row }) => row).join("\n")), [], name);
  }
});
