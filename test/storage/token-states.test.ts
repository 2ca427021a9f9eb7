import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { CallContext } from "../../src/domain/call-context.ts";
import { abortFault } from "../../src/domain/fault.ts";
import type { Database } from "../../src/storage/database.ts";
import { openTokenStates, type TokenRevocation } from "../../src/storage/token-states.ts";
import { auditFaults } from "../support/audit.ts";
import { givenAccount, givenDatabase, type TestDatabase } from "../support/database.ts";
import { givenPool } from "../support/given-pool.ts";
import { CHECKED_STATES } from "./checked-states.ts";
import { type Account, callCreate, freshCredentialId } from "./create-call.ts";
import { trailOf } from "./stored-credential.ts";

let db: TestDatabase;
/** With the login of a server. */
let pool: Database;
before(async () => {
  db = await givenDatabase();
  pool = givenPool(db.serverUrl, 2);
});
after(async () => {
  await pool.close(1_000);
  await db.drop();
});

const { signal } = new AbortController();
const clientIdOf = (account: Account) => `${account.id}@${account.organizationId}.iam`;

const holds = (account: Account, credentialId: string, jti = "jti-1") =>
  openTokenStates(pool).holds({ credentialId, clientId: clientIdOf(account), jti }, signal);

/** Somebody of an organization, which need not be the token's. */
const contextOf = (organizationId: string): CallContext => ({
  caller: {
    organizationId,
    issuer: "https://issuer.example",
    subject: "verifier-1",
    roles: [],
    expiresAtMs: 0,
  },
  grantableRoles: [],
  reach: "platform",
  requestId: "request-1",
  clientAddress: "192.0.2.1",
  budgetMs: () => 10_000,
  signal,
});

async function givenToken(): Promise<{ account: Account; token: TokenRevocation }> {
  const account = await givenAccount(db.sql);
  const credentialId = freshCredentialId();
  await callCreate(db.sql, account, { credentialId });
  const { organizationId, id: serviceAccountId } = account;
  const expiresAt = new Date(Date.UTC(2099, 0));
  return {
    account,
    token: { organizationId, serviceAccountId, credentialId, jti: freshCredentialId(), expiresAt },
  };
}

for (const { name, refusal, make } of CHECKED_STATES) {
  test(`a token of a credential that is ${name} ${refusal === undefined ? "holds" : "does not hold"}`, async () => {
    const account = await givenAccount(db.sql);
    const credentialId = await make(db.sql, account);
    assert.equal(await holds(account, credentialId), refusal === undefined);
  });
}

test("where a credential may be used from is no matter of its tokens", async () => {
  const { account, token } = await givenToken();
  await db.sql`update keyturn.credentials set allowed_cidrs = '{192.0.2.0/24}' where id = ${token.credentialId}`;
  assert.equal(await holds(account, token.credentialId), true);
  await db.sql`update keyturn.credentials set deleted_at = clock_timestamp() where id = ${token.credentialId}`;
  assert.equal(await holds(account, token.credentialId), false);
});

test("a token of another account's credential, or of none, does not hold", async () => {
  const { account, token } = await givenToken();
  const other = await givenAccount(db.sql, account.organizationId);
  const foreign = await givenToken();
  assert.deepEqual(
    await Promise.all([
      holds(other, token.credentialId),
      holds({ ...account, organizationId: foreign.account.organizationId }, token.credentialId),
      holds(account, freshCredentialId()),
      holds(account, token.credentialId),
    ]),
    [false, false, false, true],
  );
});

test("a revoked token does not hold from then on, and all others of its credential do", async () => {
  const { account, token } = await givenToken();
  const tokens = openTokenStates(pool);
  assert.equal(await holds(account, token.credentialId, token.jti), true);
  await tokens.revoke(contextOf(account.organizationId), token);
  assert.equal(await holds(account, token.credentialId, token.jti), false);
  assert.equal(await holds(account, token.credentialId, `${token.jti}x`), true);
  const [row] = await db.sql`select expires_at from keyturn.revoked_tokens where jti = ${token.jti}`;
  assert.deepEqual(row?.["expires_at"], token.expiresAt);
});

test("a revocation stands in the trail of the token's organization once, whoever revokes and however often", async () => {
  const { account, token } = await givenToken();
  const platform = contextOf("org-of-the-platform");
  const tokens = openTokenStates(pool);
  await Promise.all([1, 2, 3, 4].map(() => tokens.revoke(platform, token)));
  const trail = ["credential.create succeeded", "token.revoke succeeded"];
  assert.deepEqual(await trailOf(db.sql, account), trail);
  assert.deepEqual(await trailOf(db.sql, { organizationId: "org-of-the-platform" }), []);
  const [event] = await db.sql`
    select service_account_id, credential_id, actor_subject, client_address, request_id, details
      from keyturn.audit_events where organization_id = ${account.organizationId} and action = 'token.revoke'`;
  assert.deepEqual(
    { ...event },
    {
      service_account_id: account.id,
      credential_id: token.credentialId,
      actor_subject: "verifier-1",
      client_address: "192.0.2.1",
      request_id: "request-1",
      details: { jti: token.jti },
    },
  );
  assert.deepEqual(await auditFaults(db.sql, account.organizationId), []);
});

test("the same token id in another organization is another token", async () => {
  const [one, other] = [await givenToken(), await givenToken()];
  await openTokenStates(pool).revoke(contextOf(one.account.organizationId), {
    ...one.token,
    jti: "jti-same",
  });
  assert.equal(await holds(one.account, one.token.credentialId, "jti-same"), false);
  assert.equal(await holds(other.account, other.token.credentialId, "jti-same"), true);
});

test("tokens that are asked about at once are answered in one statement, each in its place", async () => {
  const [good, revoked, dead] = [await givenToken(), await givenToken(), await givenToken()];
  await openTokenStates(pool).revoke(contextOf(revoked.account.organizationId), revoked.token);
  await db.sql`update keyturn.credentials set deleted_at = clock_timestamp() where id = ${dead.token.credentialId}`;
  let statements = 0;
  const counted: Database = {
    ...pool,
    run: (...args) => {
      statements += 1;
      return pool.run(...args);
    },
  };
  const tokens = openTokenStates(counted);
  const asked = [dead, good, revoked, good, dead].map(({ account, token }) =>
    tokens.holds({ ...token, clientId: clientIdOf(account) }, signal),
  );
  assert.deepEqual(await Promise.all(asked), [false, true, false, true, false]);
  assert.equal(statements, 1);
});

test("a database that does not answer is unavailable: no token is called inactive for it", async (t) => {
  const silent: Database = {
    ...pool,
    run: (limit) =>
      new Promise((_, reject) => limit.addEventListener("abort", () => reject(abortFault(limit)))),
  };
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const question = { credentialId: "cred-1", clientId: "sa-1@org-1.iam", jti: "jti-1" };
  const refused = assert.rejects(openTokenStates(silent).holds(question, signal), { message: "unavailable" });
  await new Promise(setImmediate);
  t.mock.timers.tick(5_000);
  await refused;
});
