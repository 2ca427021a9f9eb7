import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { credentialsPath, rest } from "../support/clients.ts";
import { givenDatabase, type TestDatabase } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { givenIssued, type IssuedCredential, issueFor } from "../support/issued-credential.ts";
import { startIssuer, type TestIssuer } from "../support/issuer.ts";
import { environment, givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { type ServerProcess, startServer } from "../support/process.ts";
import { mintedToken } from "../support/token-endpoint.ts";
import { type AuthenticationDoors, openAuthenticationDoors } from "./authentication-doors.ts";

const ENV = { KEYTURN_TOKEN_ISSUER: "https://keyturn.example" };

let db: TestDatabase;
let issuer: TestIssuer;
/** Where the state is changed. */
let h: TestKeyturn;
let other: ServerProcess;
/** The same process, and another one. */
let servers: readonly AuthenticationDoors[] = [];
before(async () => {
  db = await givenDatabase();
  issuer = await startIssuer();
  h = await givenKeyturn({ db, issuer, env: ENV });
  other = await startServer({ ...environment(db.serverUrl, issuer.url), ...ENV });
  const addresses = { httpUrl: `http://${other.addresses.http}`, grpcAddress: other.addresses.grpc };
  servers = [openAuthenticationDoors(h), openAuthenticationDoors(addresses)];
});
after(async () => {
  for (const server of servers) server.close();
  await other?.stop();
  await h?.stop();
  await issuer?.stop();
  await db?.drop();
});

interface State {
  readonly reason: string;
  readonly enter: (issued: IssuedCredential) => Promise<void>;
  readonly leave?: (issued: IssuedCredential) => Promise<void>;
}

async function call(issued: IssuedCredential, method: string, path: string, body?: unknown): Promise<void> {
  const answer = await rest(h, `/v1/regions/global/iam${path}`, {
    method,
    token: await h.token(issued.organizationId),
    headers: { "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  assert.ok(answer.status < 300, answer.text);
}

const accountPath = ({ accountId }: IssuedCredential) => `/service-accounts/${accountId}`;

const setAccount = (status: string) => (issued: IssuedCredential) =>
  call(issued, "PATCH", accountPath(issued), { status });

const setOrganization = (status: string) => async (issued: IssuedCredential) =>
  void (await db.sql`select keyturn.set_organization_status(${issued.organizationId}, ${status})`);

const setInstants = (expiry: string, beginning: string | null) => async (issued: IssuedCredential) =>
  void (await db.sql`
    update keyturn.credentials
       set expires_at = clock_timestamp() + ${expiry}::interval, not_before = clock_timestamp() + ${beginning}::interval,
           created_at = created_at - interval '1 minute'
     where id = ${issued.id}`);

const STATES: Readonly<Record<string, State>> = {
  "the account is disabled": {
    reason: "service_account_disabled",
    enter: setAccount("disabled"),
    leave: setAccount("active"),
  },
  "the organization is suspended": {
    reason: "organization_suspended",
    enter: setOrganization("suspended"),
    leave: setOrganization("active"),
  },
  "the credential is deleted": {
    reason: "deleted",
    enter: (issued) => call(issued, "DELETE", `${accountPath(issued)}/credentials/${issued.id}`),
  },
  "the credential has expired": {
    reason: "expired",
    enter: setInstants("0", null),
    leave: setInstants("1 day", null),
  },
  "the credential is not valid yet": {
    reason: "pending",
    enter: setInstants("1 day", "1 hour"),
    leave: setInstants("1 day", "0"),
  },
  "all credentials of the account were revoked": {
    reason: "revoked",
    enter: (issued) => call(issued, "POST", `${accountPath(issued)}:revokeCredentials`, {}),
  },
  "all credentials of the organization were revoked": {
    reason: "revoked",
    enter: (issued) => call(issued, "POST", "/credentials:revokeAll", {}),
  },
};

/** What each door of each server says: whether it takes the secret, and the token for active. */
async function heard(issued: IssuedCredential, token: string): Promise<Readonly<Record<string, boolean>>[]> {
  const verifier = await h.token(issued.organizationId, { roles: ["verifier"] });
  return Promise.all(servers.map((server) => server.ask({ issued, token, verifier })));
}

const atAllDoors = (isAccepted: boolean) => {
  const doors = [
    "VerifyCredential gRPC",
    "VerifyCredential Connect",
    "token endpoint",
    "MintToken gRPC",
    "introspection",
  ];
  return servers.map(() => Object.fromEntries(doors.map((door) => [door, isAccepted])));
};

/** An account with a credential whose secret both processes know to be right, and a token. */
async function givenKnown(): Promise<{ readonly issued: IssuedCredential; readonly token: string }> {
  const issued = await givenIssued(h);
  const token = await mintedToken(h, issued);
  assert.deepEqual(await heard(issued, token), atAllDoors(true));
  return { issued, token };
}

async function refusedUses({ organizationId, accountId }: IssuedCredential) {
  const path = `/v1/regions/global/iam/service-accounts/${accountId}/refused-uses`;
  const answer = await rest(h, path, { token: await h.token(organizationId) });
  assert.equal(answer.status, 200, answer.text);
  return answer.body.refusedUses;
}

for (const [what, { reason, enter, leave }] of Object.entries(STATES)) {
  test(`once ${what}, every door of every process refuses at once what it knew to be right`, async () => {
    const { issued, token } = await givenKnown();
    await enter(issued);
    assert.deepEqual(await heard(issued, token), atAllDoors(false));
    assert.deepEqual(await heard(issued, token), atAllDoors(false));
    if (leave === undefined) return;
    await leave(issued);
    assert.deepEqual(await heard(issued, token), atAllDoors(true));
    await enter(issued);
    assert.deepEqual(await heard(issued, token), atAllDoors(false));
  });

  test(`once ${what}, its secret's refused uses are shown with the reason ${reason}`, async () => {
    const { issued, token } = await givenKnown();
    assert.deepEqual(await refusedUses(issued), []);
    await enter(issued);
    await heard(issued, token);
    // Four doors of two processes take secrets; introspection takes none.
    const [use] = await eventually(async () => {
      const uses = await refusedUses(issued);
      return uses[0]?.refusedCount === "8" ? uses : undefined;
    });
    assert.deepEqual([use.credentialId, use.reason, use.hint], [issued.id, reason, issued.secret.slice(-4)]);
    assert.match(use.lastRefusedAt, /Z$/);
  });
}

test("a deleted credential is shown by its refused uses and neither by get nor by list", async () => {
  const { issued, token } = await givenKnown();
  await STATES["the credential is deleted"]?.enter(issued);
  await heard(issued, token);
  await eventually(async () => (await refusedUses(issued)).length === 1);
  const admin = await h.token(issued.organizationId);
  const path = credentialsPath(issued.accountId);
  assert.equal((await rest(h, `${path}/${issued.id}`, { token: admin })).status, 404);
  assert.deepEqual((await rest(h, path, { token: admin })).body.credentials, []);
});

test("once the account is deleted, every door of every process refuses at once, and nothing of it is left", async () => {
  const { issued, token } = await givenKnown();
  await STATES["the credential is deleted"]?.enter(issued);
  await heard(issued, token);
  await eventually(async () => (await refusedUses(issued)).length === 1);
  const second = await issueFor(h, { organizationId: issued.organizationId, id: issued.accountId });
  const secondToken = await mintedToken(h, second);
  assert.deepEqual(await heard(second, secondToken), atAllDoors(true));

  await call(issued, "DELETE", accountPath(issued));
  for (const [one, its] of [
    [second, secondToken],
    [issued, token],
  ] as const) {
    assert.deepEqual(await heard(one, its), atAllDoors(false));
  }
  for (const table of ["credentials", "credential_usage", "replays"]) {
    const rows =
      await db.sql`select from ${db.sql(`keyturn.${table}`)} where service_account_id = ${issued.accountId}`;
    assert.equal(rows.length, 0, table);
  }
});

test("an account that is made again under the same id takes neither secrets nor tokens of the one before", async () => {
  const { issued, token } = await givenKnown();
  await call(issued, "DELETE", accountPath(issued));
  await call(issued, "POST", "/service-accounts", { id: issued.accountId, displayName: "Again" });
  const again = await issueFor(h, { organizationId: issued.organizationId, id: issued.accountId });
  assert.deepEqual(await heard(again, await mintedToken(h, again)), atAllDoors(true));
  assert.deepEqual(await heard(issued, token), atAllDoors(false));
  assert.deepEqual(await refusedUses(issued), []);
});
