import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TokenService } from "../../gen/keyturn/v1/token_service_pb.ts";
import { type RestAnswer, rest } from "../support/clients.ts";
import { givenIssued, type IssuedCredential } from "../support/issued-credential.ts";
import type { TestKeyturn } from "../support/keyturn.ts";
import { overConnect, overGrpc } from "../support/rpc-callers.ts";
import { assertNotKept, assertOAuthError, claimsOf, mintedToken } from "../support/token-endpoint.ts";
import { givenTwoServers, type TwoServers } from "../support/two-servers.ts";

const PATHS = ["/v1/regions/global/auth/revoke", "/oauth2/revoke"] as const;

let two: TwoServers;
let h: TestKeyturn;
let issued: IssuedCredential;
before(async () => {
  // The second server accepts what the first one issues.
  two = await givenTwoServers(5, { KEYTURN_TOKEN_ISSUER: "https://keyturn.example" });
  [h] = two.servers;
  issued = await givenIssued(h);
});
after(() => two.stop());

const bearer = (role: string, organizationId = issued.organizationId): Promise<string> =>
  h.token(organizationId, { roles: [role], sub: `a-${role}` });

const post = (
  at: TestKeyturn,
  path: string,
  token: string,
  caller: string | undefined,
): Promise<RestAnswer> =>
  rest(at, path, {
    method: "POST",
    body: new URLSearchParams({ token }),
    ...(caller === undefined ? {} : { token: caller }),
  });

const revoke = (token: string, caller: string | undefined, path: string = PATHS[0]) =>
  post(h, path, token, caller);

/** Whether each of the servers takes the token for active, asked at once. */
async function isActive(token: string): Promise<boolean[]> {
  const caller = await bearer("verifier");
  const answers = await Promise.all(
    two.servers.map((server) => post(server, "/oauth2/introspect", token, caller)),
  );
  return answers.map(({ body }) => body.active);
}

const recorded = (token: string) => h.db.sql`
  select organization_id, service_account_id, credential_id, actor_subject, outcome from keyturn.audit_events
   where action = 'token.revoke' and details ->> 'jti' = ${String(claimsOf(token).jti)}`;

function assertRevoked(answer: RestAnswer): void {
  assert.deepEqual([answer.status, answer.text], [200, '{"revoked":true}']);
  assertNotKept(answer);
}

for (const role of ["verifier", "admin", "platform-verifier"]) {
  test(`a token that a ${role} revokes is inactive on every server at once, and the trail says who did it`, async () => {
    const [token, other] = [await mintedToken(h, issued), await mintedToken(h, issued)];
    assert.deepEqual(await isActive(token), [true, true]);
    assertRevoked(await revoke(token, await bearer(role)));
    assert.deepEqual(await isActive(token), [false, false]);
    assert.deepEqual(await isActive(other), [true, true]);
    assert.deepEqual(
      [...(await recorded(token))],
      [
        {
          organization_id: issued.organizationId,
          service_account_id: issued.accountId,
          credential_id: issued.id,
          actor_subject: `a-${role}`,
          outcome: "succeeded",
        },
      ],
    );
  });
}

test("revoking a token again changes nothing and is recorded once, also when several do it at once", async () => {
  const token = await mintedToken(h, issued);
  const caller = await bearer("verifier");
  const answers = await Promise.all(
    [...PATHS, ...PATHS].map((path, n) => post(two.servers[n % 2] as TestKeyturn, path, token, caller)),
  );
  answers.forEach(assertRevoked);
  assertRevoked(await revoke(token, caller, PATHS[1]));
  assert.equal((await recorded(token)).length, 1);
});

test("a verifier of the platform revokes a token of another organization, and the trail of that one says so", async () => {
  const token = await mintedToken(h, issued);
  const { organizationId: other } = await h.givenAccount();
  assertRevoked(await revoke(token, await bearer("platform-verifier", other)));
  assert.deepEqual(await isActive(token), [false, false]);
  assert.deepEqual((await recorded(token))[0]?.["organization_id"], issued.organizationId);
});

test("nobody else revokes a token of another organization, and the answer does not tell", async () => {
  const token = await mintedToken(h, issued);
  const { organizationId: other } = await h.givenAccount();
  for (const role of ["verifier", "admin"]) assertRevoked(await revoke(token, await bearer(role, other)));
  assert.deepEqual(await isActive(token), [true, true]);
  assert.equal((await recorded(token)).length, 0);
});

test("the answer is the same for what is no token, or none that holds", async () => {
  const caller = await bearer("verifier");
  const token = await mintedToken(h, issued);
  for (const strange of ["nonsense", issued.secret, `${token.slice(0, -8)}AAAAAAAA`, "\u0000", caller])
    assertRevoked(await revoke(strange, caller));
  assert.deepEqual(await isActive(token), [true, true]);
});

test("a request without a token is told so, so that nobody takes it for revoked", async () => {
  const caller = await bearer("verifier");
  for (const path of PATHS) {
    const body = new URLSearchParams({ tokn: await mintedToken(h, issued) });
    assertOAuthError(await rest(h, path, { method: "POST", token: caller, body }), 400, "invalid_request");
  }
});

test("a member may not, whoever has no bearer token may not, and the token stays", async () => {
  const token = await mintedToken(h, issued);
  assertOAuthError(await revoke(token, await bearer("member")), 403, "insufficient_scope");
  const anonymous = await revoke(token, undefined);
  assertOAuthError(anonymous, 401, "invalid_token");
  assert.equal(anonymous.headers.get("www-authenticate"), 'Bearer realm="keyturn"');
  assert.deepEqual(await isActive(token), [true, true]);
});

test("a token of an account that is gone meanwhile is revoked all the same", async () => {
  const gone = await givenIssued(h);
  const token = await mintedToken(h, gone);
  await h.db.sql`delete from keyturn.service_accounts where id = ${gone.accountId}`;
  assertRevoked(await revoke(token, await bearer("verifier", gone.organizationId)));
});

test("RevokeToken does the same over gRPC and Connect", async () => {
  for (const caller of [overGrpc(h), overConnect(h, "Connect JSON")]) {
    const token = await mintedToken(h, issued);
    const ask = async (role: string) =>
      caller.call(
        TokenService.method.revokeToken,
        { token },
        { authorization: `Bearer ${await bearer(role)}` },
      );
    assert.equal((await ask("member")).reason, "PERMISSION_DENIED");
    assert.deepEqual((await ask("verifier")).body, { revoked: true });
    assert.deepEqual(await isActive(token), [false, false]);
    caller.close();
  }
});
