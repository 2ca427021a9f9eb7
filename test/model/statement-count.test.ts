/** What every RPC costs the database: one statement where it changes something, one at most where it reads. */
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { ServiceAccountStatus } from "../../gen/keyturn/v1/service_account_pb.ts";
import { ACCESS } from "../../src/rpc/access.ts";
import { type RpcName, SERVICES, type ServiceName } from "../../src/rpc/services.ts";
import { givenAccount, givenDatabase, type TestDatabase } from "../support/database.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { type PostgresProxy, startPostgresProxy } from "../support/postgres-proxy.ts";
import { overGrpc, type RpcCaller } from "../support/rpc-callers.ts";

let db: TestDatabase;
let proxy: PostgresProxy;
let h: TestKeyturn;
let caller: RpcCaller;
let organizationId: string;

before(async () => {
  db = await givenDatabase();
  proxy = await startPostgresProxy(db.serverUrl);
  h = await givenKeyturn({ db, databaseUrl: proxy.url, env: { KEYTURN_DATABASE_CONNECTIONS_MAX: "1" } });
  caller = overGrpc(h);
  ({ organizationId } = await givenAccount(db.sql));
});
after(async () => {
  caller.close();
  await h.stop();
  await proxy.stop();
  await db.drop();
});

/** A way that a call can go: the reason that it ends with, and a request that makes it go so. */
type Course = readonly [reason: string, request: () => Promise<object>];

const account = async () => ({ serviceAccountId: await givenAccountId() });
const credential = async () => givenCredential((await account()).serviceAccountId);
const etag = "0000000000000000";
const past = { seconds: 1n };
const retry = async () => {
  const req = { ...(await account()), requestId: randomUUID() };
  await call("CredentialService", "createCredential", req);
  return req;
};
const unknown = "sa-unknown";
/** Everything that a caller needs a role for here. */
const ROLES = ["admin", "verifier"];

const issued = async () => {
  const { serviceAccountId } = await account();
  const { body } = await call("CredentialService", "createCredential", { serviceAccountId });
  return { serviceAccountId, clientSecret: body.clientSecret as string };
};
const grant = async () => {
  const { serviceAccountId, clientSecret } = await issued();
  const clientId = `${serviceAccountId}@${organizationId}.iam`;
  return { grantType: "client_credentials", clientId, clientSecret };
};
const givenToken = async () =>
  (await call("TokenService", "mintToken", await grant())).body.access_token as string;

/** Every RPC with courses that it can take. A row that is missing or left over does not compile, and fails the first test. */
const COURSES: { readonly [S in ServiceName]: Readonly<Record<RpcName<S>, readonly Course[]>> } = {
  CredentialService: {
    createCredential: [
      ["", account],
      [
        "",
        async () => ({ ...(await account()), labels: { a: "b" }, displayName: "c", requestId: randomUUID() }),
      ],
      ["", async () => ({ ...(await account()), validateOnly: true })],
      ["", retry],
      ["REQUEST_ID_REUSED", async () => ({ ...(await retry()), displayName: "other" })],
      ["NOT_FOUND", async () => ({ serviceAccountId: unknown })],
      ["EXPIRY_IN_PAST", async () => ({ ...(await account()), expiresAt: past })],
      ["CREDENTIAL_LIMIT_REACHED", async () => ({ serviceAccountId: await givenFullAccountId() })],
    ],
    listCredentials: [
      ["", account],
      ["", async () => ({ serviceAccountId: await givenFullAccountId(), pageSize: 2 })],
      [
        "",
        async () => ({ serviceAccountId: await givenFullAccountId(), offset: 1, status: 1, neverUsed: true }),
      ],
      ["NOT_FOUND", async () => ({ serviceAccountId: unknown })],
    ],
    getCredential: [
      ["", credential],
      ["NOT_FOUND", async () => ({ ...(await account()), id: "cred-unknown" })],
      ["NOT_FOUND", async () => ({ serviceAccountId: unknown, id: "cred-unknown" })],
    ],
    deleteCredential: [
      ["", credential],
      ["", async () => ({ ...(await credential()), validateOnly: true })],
      ["ETAG_MISMATCH", async () => ({ ...(await credential()), etag })],
      ["NOT_FOUND", async () => ({ ...(await account()), id: "cred-unknown" })],
    ],
    rotateCredential: [
      ["", credential],
      ["", async () => ({ ...(await credential()), gracePeriod: { seconds: 9n }, requestId: randomUUID() })],
      ["", async () => ({ ...(await credential()), validateOnly: true })],
      ["ETAG_MISMATCH", async () => ({ ...(await credential()), etag })],
      ["NOT_FOUND", async () => ({ ...(await account()), id: "cred-unknown" })],
    ],
    listRefusedUses: [
      ["", account],
      ["", async () => ({ ...(await account()), offset: 1 })],
      ["NOT_FOUND", async () => ({ serviceAccountId: unknown })],
    ],
    revokeAllCredentials: [
      ["", async () => ({ serviceAccountId: await givenFullAccountId() })],
      ["", async () => ({})],
      ["", async () => ({ exemptServiceAccountIds: [await givenFullAccountId()], validateOnly: true })],
      ["NOT_FOUND", async () => ({ exemptServiceAccountIds: [unknown] })],
      ["NOT_FOUND", async () => ({ serviceAccountId: unknown })],
    ],
  },
  ServiceAccountService: {
    createServiceAccount: [
      ["", async () => ({ id: newId(), displayName: "new", roles: ["deploy"] })],
      ["", async () => ({ id: newId(), displayName: "new", validateOnly: true })],
      ["ALREADY_EXISTS", async () => ({ id: await givenAccountId(), displayName: "again" })],
    ],
    listServiceAccounts: [
      ["", async () => ({})],
      ["", async () => ({ offset: 1, status: ServiceAccountStatus.ACTIVE })],
    ],
    getServiceAccount: [
      ["", async () => ({ id: await givenFullAccountId() })],
      ["NOT_FOUND", async () => ({ id: unknown })],
    ],
    updateServiceAccount: [
      ["", async () => ({ id: await givenAccountId(), displayName: "other", roles: ["deploy"] })],
      ["", async () => ({ id: await givenAccountId(), displayName: "other", validateOnly: true })],
      ["ETAG_MISMATCH", async () => ({ id: await givenAccountId(), displayName: "other", etag })],
      ["NOT_FOUND", async () => ({ id: unknown, displayName: "other" })],
    ],
    deleteServiceAccount: [
      ["", async () => ({ id: await givenFullAccountId() })],
      ["", async () => ({ id: await givenFullAccountId(), validateOnly: true })],
      ["ETAG_MISMATCH", async () => ({ id: await givenAccountId(), etag })],
      ["NOT_FOUND", async () => ({ id: unknown })],
    ],
  },
  CredentialPolicyService: {
    getCredentialPolicy: [["", async () => ({})]],
    updateCredentialPolicy: [
      ["", async () => ({ maxActiveCredentials: 5 })],
      ["", async () => ({ maxActiveCredentials: 1, validateOnly: true })],
      ["POLICY_OUT_OF_BOUNDS", async () => ({ maxActiveCredentials: 6 })],
      ["ETAG_MISMATCH", async () => ({ maxActiveCredentials: 5, etag })],
    ],
  },
  AuditService: {
    listAuditEvents: [
      ["", async () => ({ pageSize: 2 })],
      ["", async () => ({ offset: 1, serviceAccountId: unknown, orderBy: "occurred_at desc" })],
    ],
  },
  VerificationService: {
    verifyCredential: [["", async () => ({ clientSecret: (await issued()).clientSecret })]],
    reportLeakedCredential: [["", async () => ({ clientSecret: (await issued()).clientSecret })]],
  },
  TokenService: {
    mintToken: [["", grant]],
    introspectToken: [["", async () => ({ token: await givenToken() })]],
    revokeToken: [["", async () => ({ token: await givenToken() })]],
  },
};

const RPCS = Object.entries(SERVICES).flatMap(([service, { method }]) =>
  Object.keys(method).map((rpc) => ({ service: service as ServiceName, rpc })),
);

test("every RPC of the descriptors has courses here", () => {
  const named = Object.entries(COURSES).flatMap(([service, rpcs]) =>
    Object.keys(rpcs).map((rpc) => ({ service, rpc })),
  );
  assert.deepEqual(named, RPCS);
});

for (const { service, rpc } of RPCS) {
  const courses = (COURSES[service] as Record<string, readonly Course[]>)[rpc] ?? [];
  const { changes } = (ACCESS[service] as Record<string, { changes: boolean }>)[rpc] ?? { changes: false };

  const isForPrograms = ["VerificationService", "TokenService"].includes(service);

  // What it is about is known only once argon2 has looked at the secret, and that is no work for a database.
  const statements = rpc === "reportLeakedCredential" ? 2 : 1;

  test(`${rpc} costs ${statements === 1 ? "one statement" : "two statements"}, whatever becomes of it`, async () => {
    for (const [reason, request] of courses) {
      // Now and then the server writes down uses, or counts what expires, in between.
      const costs = Math.min(...(await costsOf(service, rpc, reason, request)));
      assert.equal(costs, statements, `${reason} ${request}`);
    }
  });
  if (isForPrograms) continue;

  test(`${rpc} costs ${changes ? "one statement, for the trail," : "none"} when the request is no good, and one for the trail when the caller may not`, async () => {
    const bad = async () => ({ ...(await courses[0]?.[1]()), ...MALFORMED });
    const hasBadField = ["pageSize", "id", "serviceAccountId", "maxActiveCredentials"].some(
      (name) => name in SERVICES[service].method[rpc as never]["input"]["field"],
    );
    if (hasBadField)
      assert.equal(Math.min(...(await costsOf(service, rpc, "INVALID_ARGUMENT", bad))), changes ? 1 : 0);
    const unseen = "unseen" in ((ACCESS[service] as Record<string, object>)[rpc] ?? {});
    const reason = unseen ? "NOT_FOUND" : "PERMISSION_DENIED";
    const good = courses[0]?.[1] ?? account;
    assert.equal(Math.min(...(await costsOf(service, rpc, reason, good, ["reader"]))), 1);
  });
}

/** Breaks a rule of every request that has one of these fields. */
const MALFORMED = { pageSize: 0, id: "NOT AN ID", serviceAccountId: "NOT AN ID", maxActiveCredentials: 0 };
const TIMES = 3;

/** Round trips of some calls, after one by which the statement became known to the connection. */
async function costsOf(
  service: ServiceName,
  rpc: string,
  reason: string,
  request: Course[1],
  roles = ROLES,
): Promise<number[]> {
  const costs: number[] = [];
  for (let n = 0; n <= TIMES; n += 1) {
    const req = await request();
    const before = proxy.roundTrips();
    const heard = await call(service, rpc, req, roles);
    costs.push(proxy.roundTrips() - before);
    assert.equal(heard.reason, reason, String(request));
  }
  return costs.slice(1);
}

async function call(service: ServiceName, rpc: string, req: object, roles = ROLES) {
  const method = (SERVICES[service].method as Record<string, Parameters<RpcCaller["call"]>[0]>)[rpc];
  if (method === undefined) throw new TypeError(`no RPC ${rpc}`);
  const headers = { authorization: `Bearer ${await h.token(organizationId, { roles })}` };
  return caller.call(method, req as Record<string, unknown>, headers);
}

const newId = () => `sa-${randomBytes(5).toString("hex")}`;
const givenAccountId = async () => (await givenAccount(db.sql, organizationId)).id;

async function givenCredential(serviceAccountId: string): Promise<{ serviceAccountId: string; id: string }> {
  const { body } = await call("CredentialService", "createCredential", { serviceAccountId });
  return { serviceAccountId, id: body.id };
}

async function givenFullAccountId(): Promise<string> {
  const { serviceAccountId } = await account();
  for (let n = 0; n < 5; n += 1) await givenCredential(serviceAccountId);
  return serviceAccountId;
}
