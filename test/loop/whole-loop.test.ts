import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { VerificationService } from "../../gen/keyturn/v1/verification_service_pb.ts";
import { credentialsPath, type RestAnswer, rest } from "../support/clients.ts";
import { givenDatabase, type TestDatabase } from "../support/database.ts";
import { givenIssued, type IssuedCredential } from "../support/issued-credential.ts";
import { startIssuer, type TestIssuer } from "../support/issuer.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { overGrpc } from "../support/rpc-callers.ts";
import { fieldsOf, mintedToken, postToken } from "../support/token-endpoint.ts";

let db: TestDatabase;
let issuer: TestIssuer;
/** Issues the tokens that the other one accepts as its callers'. They share nothing but the database. */
let home: TestKeyturn;
let replica: TestKeyturn;
before(async () => {
  db = await givenDatabase();
  issuer = await startIssuer();
  home = await givenKeyturn({ db, issuer });
  const env = { KEYTURN_OIDC_ISSUER: `${issuer.url},${home.httpUrl}`, KEYTURN_TOKEN_ISSUER: home.httpUrl };
  replica = await givenKeyturn({ db, issuer, env });
});
after(async () => {
  await replica?.stop();
  await home?.stop();
  await issuer?.stop();
  await db?.drop();
});

async function databaseNow(): Promise<number> {
  const [row] = await db.sql<{ now: Date }[]>`select clock_timestamp() as now`;
  return row?.now.getTime() ?? Number.NaN;
}

/** Whether a server takes the secret, as it tells verifiers. */
async function isVerified(at: TestKeyturn, { secret, organizationId }: IssuedCredential): Promise<boolean> {
  const grpc = overGrpc(at);
  try {
    const headers = { authorization: `Bearer ${await at.token(organizationId, { roles: ["verifier"] })}` };
    const method = VerificationService.method.verifyCredential;
    const { body, reason } = await grpc.call(method, { clientSecret: secret }, headers);
    assert.equal(reason, "");
    return body.principal !== undefined;
  } finally {
    grpc.close();
  }
}

const isGranted = async (at: TestKeyturn, issued: IssuedCredential): Promise<boolean> =>
  (await postToken(at, { form: fieldsOf(issued) })).status === 200;

async function isActive(
  at: TestKeyturn,
  { organizationId }: IssuedCredential,
  token: string,
): Promise<boolean> {
  const caller = await at.token(organizationId, { roles: ["verifier"] });
  const body = new URLSearchParams({ token });
  return (await rest(at, "/oauth2/introspect", { method: "POST", token: caller, body })).body.active;
}

/** Looks at both servers until neither takes the secret. It may be refused from this instant on, and never before. */
async function watchItsEnd(issued: IssuedCredential, endsAt: number): Promise<number> {
  let accepted = 0;
  for (const pending = new Set([home, replica]); pending.size > 0; ) {
    for (const server of pending) {
      const asked = await databaseNow();
      const isAccepted = await isVerified(server, issued);
      const answered = await databaseNow();
      if (isAccepted) assert.ok(asked < endsAt, `taken ${asked - endsAt} ms after its end`);
      else assert.ok(answered >= endsAt, `refused ${endsAt - answered} ms before its end`);
      if (isAccepted) accepted += 1;
      else pending.delete(server);
    }
  }
  return accepted;
}

function rotate(at: TestKeyturn, { accountId, id }: IssuedCredential, token: string): Promise<RestAnswer> {
  return rest(at, `${credentialsPath(accountId)}/${id}:rotate`, {
    method: "POST",
    token,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ gracePeriod: "3s" }),
  });
}

test("a service gets a token with its secret, rotates that secret itself, and is locked out everywhere once it is deleted", async () => {
  const first = await givenIssued(home, { roles: ["admin"] });
  const token = await mintedToken(home, first);
  for (const server of [home, replica]) assert.equal(await isVerified(server, first), true);

  const rotated = await rotate(replica, first, token);
  assert.equal(rotated.status, 201, rotated.text);
  assert.equal(rotated.body.createdBy, first.clientId);
  const second = { ...first, id: rotated.body.id, secret: rotated.body.clientSecret };

  const endsAt = Date.parse(rotated.body.replacedCredential.expiresAt);
  assert.ok((await watchItsEnd(first, endsAt)) >= 2, "it works through its grace");
  for (const server of [home, replica]) {
    assert.equal(await isGranted(server, first), false);
    assert.equal(await isActive(server, first, token), false);
    assert.equal(await isVerified(server, second), true);
    assert.equal(await isGranted(server, second), true);
  }

  const last = await mintedToken(replica, second);
  assert.equal(await isActive(home, second, last), true);
  const path = `${credentialsPath(second.accountId)}/${second.id}`;
  assert.equal(
    (await rest(home, path, { method: "DELETE", token: last })).status,
    401,
    "home takes no tokens of its own",
  );
  assert.equal((await rest(replica, path, { method: "DELETE", token: last })).status, 204);
  assert.equal(await isVerified(home, second), false);
  assert.equal(await isGranted(home, second), false);
  assert.equal(await isActive(home, second, last), false);
});
