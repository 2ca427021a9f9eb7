import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TokenService } from "../../gen/keyturn/v1/token_service_pb.ts";
import { VerificationService } from "../../gen/keyturn/v1/verification_service_pb.ts";
import { rest } from "../support/clients.ts";
import { forgedSecret } from "../support/forgery.ts";
import { givenIssued, type IssuedCredential, unissuedSecret } from "../support/issued-credential.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { overGrpc, type RpcCaller } from "../support/rpc-callers.ts";
import { searchFor } from "../support/secret-search.ts";
import { mintedToken } from "../support/token-endpoint.ts";

let h: TestKeyturn;
let grpc: RpcCaller;
before(async () => {
  h = await givenKeyturn();
  grpc = overGrpc(h);
});
after(async () => {
  grpc?.close();
  await h.stop();
});

const { mintToken, introspectToken, revokeToken } = TokenService.method;
const { verifyCredential } = VerificationService.method;

let calls = 0;

/** The line of one call: what it says of the credential, and why. */
async function lineOf(call: (headers: Readonly<Record<string, string>>) => Promise<unknown>) {
  calls += 1;
  const requestId = `finding-${calls}`;
  await call({ "x-request-id": requestId });
  const line = h
    .log()
    .split("\n")
    .find((text) => text.includes(`"request_id":"${requestId}"`) && text.includes('"msg":"call"'));
  const { credential_id, inner } = JSON.parse(line ?? assert.fail("no line"));
  return { id: credential_id, inner };
}

const verifier = async ({ organizationId }: Pick<IssuedCredential, "organizationId">) => ({
  authorization: `Bearer ${await h.token(organizationId, { roles: ["verifier"] })}`,
});

/** What the two lines say when a secret is minted for and verified. */
async function linesOf(issued: IssuedCredential, secret = issued.secret) {
  const bearer = await verifier(issued);
  const { clientId } = issued;
  const asked = { grantType: "client_credentials", clientId, clientSecret: secret };
  return [
    await lineOf((headers) => grpc.call(mintToken, asked, headers)),
    await lineOf((headers) =>
      grpc.call(verifyCredential, { clientSecret: secret, clientId }, { ...bearer, ...headers }),
    ),
  ];
}

const both = (id: string | undefined, inner: string | undefined) => [
  { id, inner },
  { id, inner },
];

const change = (statement: string) => (issued: IssuedCredential) =>
  h.db.sql.unsafe(`update keyturn.${statement}`, [issued.id]);

const STATES: Readonly<Record<string, (issued: IssuedCredential) => Promise<unknown>>> = {
  expired: change(
    "credentials set created_at = now() - interval '2 d', expires_at = now() - interval '1 s' where id = $1",
  ),
  deleted: change("credentials set deleted_at = now() where id = $1"),
  pending: change("credentials set not_before = now() + interval '1 h' where id = $1"),
  revoked: change(`service_accounts a set credentials_revoked_before = now() + interval '1 h'
                     from keyturn.credentials c where c.service_account_id = a.id and c.id = $1`),
  service_account_disabled: change(
    "service_accounts a set status = 'disabled' from keyturn.credentials c where c.service_account_id = a.id and c.id = $1",
  ),
};

for (const [refusal, bring] of Object.entries(STATES)) {
  test(`the line of a mint and of a verification names the credential that is ${refusal}, and says so`, async () => {
    const issued = await givenIssued(h);
    await bring(issued);
    assert.deepEqual(await linesOf(issued), both(issued.id, refusal));
  });
}

test("the line names the credential of a secret that holds, and no reason", async () => {
  const issued = await givenIssued(h);
  assert.deepEqual(await linesOf(issued), both(issued.id, undefined));
});

test("the line says of a wrong secret in which way it is wrong", async () => {
  const [issued, other] = [await givenIssued(h), await givenIssued(h)];
  const unknown = unissuedSecret();
  assert.deepEqual(await linesOf(issued, "nonsense"), both(undefined, "malformed"));
  assert.deepEqual(await linesOf(issued, forgedSecret(issued.id)), both(issued.id, "forged"));
  assert.deepEqual(await linesOf(issued, unissuedSecret(issued.id)), both(issued.id, "wrong"));
  assert.deepEqual(await linesOf(issued, unknown), both(unknown.slice(7, 32), "unknown"));
  assert.deepEqual(await linesOf({ ...issued, clientId: other.clientId }), both(issued.id, "client_id"));
  const [, foreign] = await linesOf({ ...issued, organizationId: other.organizationId });
  assert.deepEqual(foreign, { id: issued.id, inner: "organization" });
});

test("the line of a throttled guess says that, and at which credential", async () => {
  const issued = await givenIssued(h);
  const lines: unknown[] = [];
  for (let guess = 0; guess < 11; guess += 1)
    lines.push(...(await linesOf(issued, unissuedSecret(issued.id))));
  assert.deepEqual(lines.slice(-2), both(issued.id, "throttled"));
});

test("the line of an introspection names the credential of a token of ours, and why it is inactive", async () => {
  const [issued, other] = [await givenIssued(h), await givenIssued(h)];
  const token = await mintedToken(h, issued);
  const line = async (about: string, asker = issued) => {
    const bearer = await verifier(asker);
    return lineOf((headers) => grpc.call(introspectToken, { token: about }, { ...bearer, ...headers }));
  };
  assert.deepEqual(await line(token), { id: issued.id, inner: undefined });
  assert.deepEqual(await line(`${token}x`), { id: undefined, inner: "not_ours" });
  assert.deepEqual(await line(token, other), { id: issued.id, inner: "organization" });
  await grpc.call(revokeToken, { token }, await verifier(issued));
  assert.deepEqual(await line(token), { id: issued.id, inner: "ended" });
});

test("whatever was presented, by whatever door, the log has nothing of it but the id", async () => {
  const issued = await givenIssued(h);
  const secrets = [issued.secret, forgedSecret(issued.id), unissuedSecret(issued.id), `${issued.secret}x`];
  const search = searchFor(secrets.map((secret) => secret.slice(33)));
  for (const secret of secrets) {
    await linesOf(issued, secret);
    const fields = { grant_type: "client_credentials", client_id: issued.clientId, client_secret: secret };
    await rest(h, "/oauth2/token", { method: "POST", body: new URLSearchParams(fields) });
  }
  assert.ok(h.log().includes(issued.id));
  assert.deepEqual(search.find(h.log()), []);
});

test("a secret that has got into the header of the request id is in no line", async () => {
  const { secret } = await givenIssued(h);
  const { headers } = await rest(h, "/v1/regions/global/auth/report-leak", {
    method: "POST",
    headers: { "x-request-id": secret },
  });
  assert.notEqual(headers.get("x-request-id"), secret);
  assert.ok(!h.log().includes(secret));
});
