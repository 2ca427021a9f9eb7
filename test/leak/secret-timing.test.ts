import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, type TestContext, test } from "node:test";
import { TokenService } from "../../gen/keyturn/v1/token_service_pb.ts";
import { VerificationService } from "../../gen/keyturn/v1/verification_service_pb.ts";
import { newCredentialId } from "../../src/domain/secret.ts";
import { givenDatabase, type TestDatabase } from "../support/database.ts";
import { forgedSecret } from "../support/forgery.ts";
import { givenIssued, type IssuedCredential, unissuedSecret } from "../support/issued-credential.ts";
import { startIssuer, type TestIssuer } from "../support/issuer.ts";
import { environment } from "../support/keyturn.ts";
import { type ServerProcess, startServer } from "../support/process.ts";
import { type Heard, overGrpc, type RpcCaller } from "../support/rpc-callers.ts";
import { medianOf, type Timed, timePairs, welchT } from "../support/timing.ts";

const PAIRS = 2_000;
/** Of calls that take a whole hash each. */
const HASHED_PAIRS = 400;
const T_MAX = 4.5;
const CREDENTIALS = 250;

let db: TestDatabase;
let issuer: TestIssuer;
let server: ServerProcess;
let grpc: RpcCaller;
let issued: IssuedCredential;
let authorization: string;
/** Ids of credentials that there are, one after the other. */
let existing: string[] = [];
before(async () => {
  db = await givenDatabase();
  issuer = await startIssuer();
  server = await startServer(environment(db.serverUrl, issuer.url));
  const token = (organizationId: string, claims: object = {}) =>
    issuer.sign({ claims: { tenant_id: organizationId, roles: ["admin"], ...claims } });
  issued = await givenIssued({ db, httpUrl: `http://${server.addresses.http}`, token });
  authorization = `Bearer ${await token(issued.organizationId, { roles: ["verifier"] })}`;
  existing = Array.from({ length: CREDENTIALS }, () => newCredentialId(randomBytes));
  await db.sql`
    insert into keyturn.credentials (organization_id, service_account_id, id, secret_hash, hint, created_by, created_at,
                                     expires_at)
    select c.organization_id, c.service_account_id, i.id, c.secret_hash, c.hint, c.created_by, c.created_at, c.expires_at
      from keyturn.credentials c, unnest(${existing}::text[]) i (id) where c.id = ${issued.id}`;
  await db.sql`analyze keyturn.credentials`;
  grpc = overGrpc({ grpcAddress: server.addresses.grpc });
});
after(async () => {
  grpc?.close();
  await server?.stop();
  await issuer?.stop();
  await db?.drop();
});

const existingId = (pair: number) => existing[pair % existing.length] ?? "";
const unknownId = () => newCredentialId(randomBytes);

const mint = (clientSecret: string): Promise<Heard> => {
  const req = { grantType: "client_credentials", clientId: issued.clientId, clientSecret };
  return grpc.call(TokenService.method.mintToken, req, {});
};

const verify = (clientSecret: string): Promise<Heard> =>
  grpc.call(VerificationService.method.verifyCredential, { clientSecret }, { authorization });

function tell(t: TestContext, times: Timed): number {
  const value = welchT(times);
  t.diagnostic(
    `t ${value.toFixed(2)}, medians ${medianOf(times.a).toFixed(4)} and ${medianOf(times.b).toFixed(4)} ms`,
  );
  return value;
}

/** The answer is made before the clock starts, so that only the call is timed. */
const timed = (secrets: readonly string[], call: (secret: string) => Promise<Heard>) => (pair: number) =>
  call(secrets[pair] ?? "");

const secretsOf = (make: (credentialId: string) => string, id: (pair: number) => string): string[] =>
  Array.from({ length: PAIRS }, (_, pair) => make(id(pair)));

test("forged secrets of credentials that there are and that there are not get the same answer in the same time", async (t) => {
  const [known, unknown] = [secretsOf(forgedSecret, existingId), secretsOf(forgedSecret, unknownId)];
  assert.deepEqual(await mint(known[0] ?? ""), await mint(unknown[0] ?? ""));
  assert.equal((await mint(known[1] ?? "")).reason, "INVALID_CLIENT");
  for (const call of [mint, verify]) {
    const value = tell(t, await timePairs(PAIRS, timed(known, call), timed(unknown, call)));
    assert.ok(Math.abs(value) < T_MAX, `t = ${value}`);
  }
});

test("wrong secrets with the server's own tag, which no stranger can make, get the same answer in the time of one hash", async (t) => {
  const [known, unknown] = [secretsOf(unissuedSecret, existingId), secretsOf(unissuedSecret, unknownId)];
  assert.deepEqual(await verify(known[HASHED_PAIRS] ?? ""), await verify(unknown[HASHED_PAIRS] ?? ""));
  const value = tell(t, await timePairs(HASHED_PAIRS, timed(known, verify), timed(unknown, verify)));
  assert.ok(Math.abs(value) < T_MAX, `t = ${value}`);
});

test("the measure tells one look-up in the database apart from none", async (t) => {
  // Once it is guessed at no more, a secret is looked up and nothing else is done with it.
  const guessed = unissuedSecret();
  while ((await verify(guessed)).reason !== "TOO_MANY_ATTEMPTS") {}
  const forged = secretsOf(forgedSecret, unknownId);
  const value = tell(t, await timePairs(PAIRS / 4, () => verify(guessed), timed(forged, verify)));
  assert.ok(value > T_MAX, `t = ${value}`);
});
