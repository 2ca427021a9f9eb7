import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { VerificationService } from "../../gen/keyturn/v1/verification_service_pb.ts";
import { rest } from "../support/clients.ts";
import { givenIssued, type IssuedCredential, unissuedSecret } from "../support/issued-credential.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { type Heard, overConnect, overGrpc, type RpcCaller } from "../support/rpc-callers.ts";
import { type VerifyRequest, verifyAs } from "../support/verifier.ts";

let h: TestKeyturn;
let issued: IssuedCredential;
let callers: RpcCaller[] = [];
before(async () => {
  h = await givenKeyturn();
  issued = await givenIssued(h, { roles: ["reader"], project: "atlas" });
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

const { verifyCredential } = VerificationService.method;
const verify = (req: VerifyRequest, role = "verifier", organizationId = issued.organizationId) =>
  verifyAs(h, { organizationId, role }, req);

function assertRefused(heard: Heard, what = ""): void {
  assert.deepEqual(heard, { reason: "", metadata: {}, body: { refusal: {} } }, what);
}

const principal = async () => {
  const [account] = await h.db.sql`select uid from keyturn.service_accounts where id = ${issued.accountId}`;
  return {
    organizationId: issued.organizationId,
    serviceAccountId: issued.accountId,
    serviceAccountUid: account?.["uid"],
    clientId: issued.clientId,
    credentialId: issued.id,
    scope: "project",
    scopeId: "atlas",
    roles: ["reader"],
    expiresAt: issued.expiresAt,
  };
};

test("a verifier is told whose secret it is, over gRPC, Connect and gRPC-Web, with the client id and without", async () => {
  const authorization = `Bearer ${await h.token(issued.organizationId, { roles: ["verifier"] })}`;
  const expected = { principal: await principal() };
  for (const caller of callers) {
    for (const clientId of [issued.clientId, ""]) {
      const { body, reason } = await caller.call(
        verifyCredential,
        { clientSecret: issued.secret, clientId },
        { authorization },
      );
      assert.deepEqual([reason, body], ["", expected], caller.door);
    }
  }
});

test("who is no verifier learns nothing: neither administrator nor member nor somebody without a token", async () => {
  for (const clientSecret of [issued.secret, unissuedSecret(), "nonsense"]) {
    for (const role of ["admin", "owner", "member"]) {
      const denied = { reason: "PERMISSION_DENIED", metadata: {}, body: undefined };
      assert.deepEqual(await verify({ clientSecret }, role), denied, role);
    }
    for (const caller of callers)
      assert.equal((await caller.call(verifyCredential, { clientSecret }, {})).reason, "UNAUTHENTICATED");
  }
});

test("a verifier is told of secrets of his organization, a verifier of the platform of all", async () => {
  const { organizationId: other } = await h.givenAccount();
  assertRefused(await verify({ clientSecret: issued.secret }, "verifier", other));
  const { body } = await verify({ clientSecret: issued.secret }, "platform-verifier", other);
  assert.deepEqual(body, { principal: await principal() });
});

test("a right secret that comes with another client id is refused", async () => {
  const sibling = await givenIssued(h, { organizationId: issued.organizationId });
  const { clientId, secret: clientSecret } = issued;
  for (const other of [sibling.clientId, clientId.toUpperCase(), `${clientId} `, issued.accountId, "x"])
    assertRefused(await verify({ clientSecret, clientId: other }), other);
});

test("whatever is wrong with a secret, the refusal has the same bytes", async () => {
  const { organizationId } = issued;
  const foreign = await givenIssued(h);
  const deleted = await givenIssued(h, { organizationId });
  await h.db.sql`update keyturn.credentials set deleted_at = now() where id = ${deleted.id}`;
  const disabled = await givenIssued(h, { organizationId });
  await h.db.sql`update keyturn.service_accounts set status = 'disabled' where id = ${disabled.accountId}`;
  const requests: Readonly<Record<string, VerifyRequest>> = {
    "a word": { clientSecret: "nonsense" },
    "a forged tag": { clientSecret: `${issued.secret.slice(0, -7)}0123456` },
    "an unknown credential": { clientSecret: unissuedSecret() },
    "a wrong secret": { clientSecret: unissuedSecret(issued.id) },
    "another client id": { clientSecret: issued.secret, clientId: foreign.clientId },
    "another organization": { clientSecret: foreign.secret },
    "a deleted credential": { clientSecret: deleted.secret },
    "a disabled account": { clientSecret: disabled.secret },
    "a secret with a space": { clientSecret: `${issued.secret} ` },
  };
  const authorization = `Bearer ${await h.token(organizationId, { roles: ["verifier"] })}`;
  const bytes = await Promise.all(
    Object.values(requests).map(async (req) => {
      const headers = { authorization, "content-type": "application/json", "connect-protocol-version": "1" };
      const path = "/keyturn.v1.VerificationService/VerifyCredential";
      const answer = await rest(h, path, { method: "POST", headers, body: JSON.stringify(req) });
      const steady = [...answer.headers].filter(([name]) => !["date", "x-request-id"].includes(name));
      return JSON.stringify([answer.status, steady, answer.text]);
    }),
  );
  assert.equal(new Set(bytes).size, 1, bytes.join("\n"));
  assert.match(bytes[0] ?? "", /^\[200,.*\{\\"refusal\\":\{\}\}/);
  assert.match(bytes[0] ?? "", /"cache-control","no-store"/);
});

test("no secret at all, one that is longer than any, or an address that is none is an invalid argument", async () => {
  const clientSecret = issued.secret;
  for (const req of [{}, { clientSecret: "x".repeat(1025) }, { clientSecret, sourceIp: "192.0.2" }])
    assert.equal((await verify(req)).reason, "INVALID_ARGUMENT");
});

test("a credential's allowed ranges are held against the address that the verifier names", async () => {
  const { organizationId } = issued;
  const bound = await givenIssued(
    h,
    { organizationId },
    { allowedCidrs: ["192.0.2.0/28", "127.0.0.0/8", "2001:db8:1::/48"] },
  );
  const from = (sourceIp: string) => verify({ clientSecret: bound.secret, sourceIp });
  for (const inside of ["192.0.2.15", "127.0.0.1", "2001:db8:1::7", "2001:DB8:1:0:0:0:0:8"])
    assert.equal((await from(inside)).body.principal?.credentialId, bound.id, inside);
  // The verifier's own address, 127.0.0.1, counts for nothing: whoever names no address is nowhere.
  for (const outside of ["192.0.2.16", "2001:db8:2::1", ""]) assertRefused(await from(outside), outside);
});

test("a credential without ranges is accepted from everywhere, also when nobody says from where", async () => {
  for (const sourceIp of ["198.51.100.1", "::1", ""])
    assert.equal(
      (await verify({ clientSecret: issued.secret, sourceIp })).body.principal?.credentialId,
      issued.id,
    );
});

test("there is no way to it at the REST edge", async () => {
  const token = await h.token(issued.organizationId, { roles: ["verifier"] });
  for (const path of ["auth/verify", "auth/verify-credential", "iam/credentials:verify", "iam/verify"]) {
    for (const method of ["GET", "POST"]) {
      const answer = await rest(h, `/v1/regions/global/${path}`, { method, token });
      assert.equal(answer.status, 404, path);
    }
  }
});
