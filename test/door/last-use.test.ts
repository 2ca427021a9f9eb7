import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { VerificationService } from "../../gen/keyturn/v1/verification_service_pb.ts";
import { credentialsPath, rest } from "../support/clients.ts";
import { givenDatabase, type TestDatabase } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { givenIssued, type IssuedCredential, unissuedSecret } from "../support/issued-credential.ts";
import { startIssuer, type TestIssuer } from "../support/issuer.ts";
import { environment, givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { startServer } from "../support/process.ts";
import { overGrpc } from "../support/rpc-callers.ts";
import { basicOf, FORM, fieldsOf, postToken } from "../support/token-endpoint.ts";
import { verifyAs } from "../support/verifier.ts";

const PROXIES = { KEYTURN_TRUSTED_PROXIES: "127.0.0.1" };
const LONG = "a".repeat(300);

let db: TestDatabase;
let issuer: TestIssuer;
let h: TestKeyturn;
before(async () => {
  db = await givenDatabase();
  issuer = await startIssuer();
  h = await givenKeyturn({ db, issuer, env: PROXIES });
});
after(async () => {
  await h?.stop();
  await issuer?.stop();
  await db?.drop();
});

/** What an administrator is shown of it. */
async function shown({ organizationId, accountId, id }: IssuedCredential) {
  const token = await h.token(organizationId);
  const { body } = await rest(h, `${credentialsPath(accountId)}/${id}`, { token });
  const { lastUsedAt, lastUsedIp, lastUsedUserAgent, useCount } = body;
  return { lastUsedAt, lastUsedIp, lastUsedUserAgent, useCount };
}

/** Once this many uses are written down. */
const shownAfter = (uses: number, issued: IssuedCredential) =>
  eventually(async () => {
    const seen = await shown(issued);
    return seen.useCount === String(uses) ? seen : undefined;
  });

async function databaseNow(): Promise<number> {
  const [row] = await db.sql<{ now: Date }[]>`select clock_timestamp() as now`;
  return row?.now.getTime() ?? Number.NaN;
}

test("a credential that was never used shows no last use", async () => {
  const unused = {
    lastUsedAt: undefined,
    lastUsedIp: undefined,
    lastUsedUserAgent: undefined,
    useCount: undefined,
  };
  assert.deepEqual(await shown(await givenIssued(h)), unused);
});

test("a verify shows address and user agent as the verifier has them, never the verifier's own", async () => {
  const issued = await givenIssued(h);
  const before = await databaseNow();
  const req = { clientSecret: issued.secret, sourceIp: "2001:DB8::7", userAgent: "billing/1.2" };
  for (let n = 0; n < 3; n += 1) await verifyAs(h, issued, req);
  const { lastUsedAt, ...seen } = await shownAfter(3, issued);
  assert.deepEqual(seen, { lastUsedIp: "2001:db8::7", lastUsedUserAgent: "billing/1.2", useCount: "3" });
  const usedAt = Date.parse(lastUsedAt);
  assert.ok(before <= usedAt && usedAt <= (await databaseNow()), lastUsedAt);
});

test("the last use is the newest one: who says less then, of him less is shown", async () => {
  const issued = await givenIssued(h);
  await verifyAs(h, issued, { clientSecret: issued.secret, sourceIp: "192.0.2.1", userAgent: "first" });
  assert.equal((await shownAfter(1, issued)).lastUsedIp, "192.0.2.1");
  await verifyAs(h, issued, { clientSecret: issued.secret, userAgent: LONG });
  const { lastUsedIp, lastUsedUserAgent } = await shownAfter(2, issued);
  assert.deepEqual([lastUsedIp, lastUsedUserAgent], [undefined, LONG.slice(0, 255)]);
});

test("a token shows the address behind the trusted proxy and the user agent of who asked for it, over REST and gRPC", async (t) => {
  const issued = await givenIssued(h);
  const headers = { "x-forwarded-for": "9.9.9.9, 192.0.2.77", "user-agent": "payroll/3" };
  assert.equal((await postToken(h, { form: fieldsOf(issued), headers })).status, 200);
  const { lastUsedIp, lastUsedUserAgent } = await shownAfter(1, issued);
  assert.deepEqual([lastUsedIp, lastUsedUserAgent], ["192.0.2.77", "payroll/3"]);
  const untrusted = await givenKeyturn({ db, issuer });
  t.after(() => untrusted.stop());
  assert.equal((await postToken(untrusted, { form: fieldsOf(issued), headers })).status, 200);
  await untrusted.stop();
  assert.equal((await shown(issued)).lastUsedIp, "127.0.0.1", "who is not trusted is the client himself");
});

test("what is refused is no use", async () => {
  const issued = await givenIssued(h);
  const { clientId, secret } = await givenIssued(h, { organizationId: issued.organizationId });
  await postToken(h, { form: fieldsOf({ ...issued, secret: unissuedSecret(issued.id) }) });
  await postToken(h, { form: fieldsOf({ ...issued, clientId }) });
  await postToken(h, { form: fieldsOf({ ...issued, secret }) });
  await verifyAs(h, await h.givenAccount(), { clientSecret: issued.secret });
  await postToken(h, { form: fieldsOf(issued) });
  assert.equal((await shownAfter(1, issued)).useCount, "1");
});

test("a process that is told to end by SIGTERM writes down the uses of its last moments first", async () => {
  const server = await startServer(environment(db.serverUrl, issuer.url));
  try {
    const issued = await givenIssued(h);
    const grpc = overGrpc({ grpcAddress: server.addresses.grpc });
    const authorization = `Bearer ${await h.token(issued.organizationId, { roles: ["verifier"] })}`;
    const req = { clientSecret: issued.secret, sourceIp: "192.0.2.9" };
    const verify = () => grpc.call(VerificationService.method.verifyCredential, req, { authorization });
    for (let n = 0; n < 5; n += 1) assert.notEqual((await verify()).body.principal, undefined);
    // Right behind a flush, so that the next one is far away.
    await shownAfter(5, issued);
    for (let n = 0; n < 20; n += 1) assert.notEqual((await verify()).body.principal, undefined);
    assert.equal(await server.stop(), 0, server.output());
    grpc.close();
    const { useCount, lastUsedIp } = await shown(issued);
    assert.deepEqual([useCount, lastUsedIp], ["25", "192.0.2.9"]);
  } finally {
    await server.stop();
  }
});

test("a use that comes by HTTP Basic over another server counts with the others", async () => {
  const issued = await givenIssued(h);
  const other = await givenKeyturn({ db, issuer, env: PROXIES });
  try {
    for (const server of [h, other, h, other]) {
      const headers = { authorization: basicOf(issued.clientId, issued.secret), "content-type": FORM };
      assert.equal((await postToken(server, { form: "grant_type=client_credentials", headers })).status, 200);
    }
  } finally {
    await other.stop();
  }
  assert.equal((await shownAfter(4, issued)).lastUsedIp, "127.0.0.1");
});
