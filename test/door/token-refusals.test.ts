import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TokenService } from "../../gen/keyturn/v1/token_service_pb.ts";
import { type RestAnswer, rest } from "../support/clients.ts";
import {
  givenIssued,
  type IssuedCredential,
  issueFor,
  unissuedSecret,
} from "../support/issued-credential.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { overGrpc } from "../support/rpc-callers.ts";
import { basicOf, bytesOf, fieldsOf, postToken } from "../support/token-endpoint.ts";

let h: TestKeyturn;
before(async () => {
  h = await givenKeyturn();
});
after(() => h.stop());

const hour = (from: number) => new Date(Date.now() + from * 3_600_000).toISOString();

async function inOrganization(issued: IssuedCredential, statement: string): Promise<void> {
  await h.db.sql.unsafe(statement, [issued.organizationId]);
}

async function atRest(issued: IssuedCredential, method: string, path: string, body?: unknown): Promise<void> {
  const answer = await rest(h, `/v1/regions/global/iam${path}`, {
    method,
    token: await h.token(issued.organizationId),
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });
  assert.ok(answer.status < 300, answer.text);
}

/** What client id and secret are presented after each of these. */
const REFUSED: Readonly<Record<string, () => Promise<Pick<IssuedCredential, "clientId" | "secret">>>> = {
  "a text that is no secret": async () => ({ ...(await givenIssued(h)), secret: "wrong" }),
  "a secret with a forged tag": async () => {
    const issued = await givenIssued(h);
    return { ...issued, secret: `${issued.secret.slice(0, -1)}${issued.secret.endsWith("a") ? "b" : "a"}` };
  },
  "a wrong secret of a credential that there is": async () => {
    const issued = await givenIssued(h);
    return { ...issued, secret: unissuedSecret(issued.id) };
  },
  "a secret of a credential that there is not": async () => ({
    ...(await givenIssued(h)),
    secret: unissuedSecret(),
  }),
  "the client id of another account of the organization": async () => {
    const issued = await givenIssued(h);
    const { clientId } = await givenIssued(h, { organizationId: issued.organizationId });
    return { ...issued, clientId };
  },
  "the client id of another organization": async () => ({
    ...(await givenIssued(h)),
    clientId: (await givenIssued(h)).clientId,
  }),
  "a credential that has expired": async () => {
    const issued = await givenIssued(h);
    await inOrganization(
      issued,
      "update keyturn.credentials set created_at = now() - interval '2 days', expires_at = now() - interval '1 day' where organization_id = $1",
    );
    return issued;
  },
  "a credential that is not valid yet": () => givenIssued(h, {}, { notBefore: hour(1) }),
  "a credential that was deleted": async () => {
    const issued = await givenIssued(h);
    await atRest(issued, "DELETE", `/service-accounts/${issued.accountId}/credentials/${issued.id}`);
    return issued;
  },
  "a credential of an account that was deleted": async () => {
    const issued = await givenIssued(h);
    await atRest(issued, "DELETE", `/service-accounts/${issued.accountId}`);
    return issued;
  },
  "a credential of an account that is disabled": async () => {
    const issued = await givenIssued(h);
    await atRest(issued, "PATCH", `/service-accounts/${issued.accountId}`, { status: "disabled" });
    return issued;
  },
  "a credential that was revoked with all of its account": async () => {
    const issued = await givenIssued(h);
    await atRest(issued, "POST", `/service-accounts/${issued.accountId}:revokeCredentials`, {});
    return issued;
  },
  "a credential of a suspended organization": async () => {
    const issued = await givenIssued(h);
    await inOrganization(issued, "select keyturn.set_organization_status($1, 'suspended')");
    return issued;
  },
  "an address that the credential does not allow": () =>
    givenIssued(h, {}, { allowedCidrs: ["192.0.2.0/24"] }),
};

test("whatever is wrong with client id and secret, the answer has the same bytes", async () => {
  const heard = new Map<string, string>();
  for (const [what, present] of Object.entries(REFUSED)) {
    const { clientId, secret } = await present();
    const form = fieldsOf({ clientId, secret });
    const grant = { grant_type: "client_credentials" };
    const answers: RestAnswer[] = [
      await postToken(h, { form }),
      await postToken(h, { json: form, path: "/oauth2/token" }),
      await postToken(h, { form: grant, headers: { authorization: basicOf(clientId, secret) } }),
    ];
    for (const answer of answers) {
      assert.equal(answer.status, 401, `${what}: ${answer.text}`);
      heard.set(bytesOf(answer), what);
    }
  }
  assert.deepEqual([...heard.values()].length, 1, JSON.stringify([...heard]));
});

test("over gRPC it is the same UNAUTHENTICATED with the reason INVALID_CLIENT and nothing else", async () => {
  const grpc = overGrpc(h);
  try {
    for (const [what, present] of Object.entries(REFUSED)) {
      const { clientId, secret } = await present();
      const req = { grantType: "client_credentials", clientId, clientSecret: secret };
      const { reason, metadata } = await grpc.call(TokenService.method.mintToken, req, {});
      assert.deepEqual([reason, metadata], ["INVALID_CLIENT", {}], what);
    }
  } finally {
    grpc.close();
  }
});

test("another credential of the same account goes on to get tokens", async () => {
  const first = await givenIssued(h);
  const second = await issueFor(h, { organizationId: first.organizationId, id: first.accountId });
  await atRest(first, "DELETE", `/service-accounts/${first.accountId}/credentials/${first.id}`);
  assert.equal((await postToken(h, { form: fieldsOf(first) })).status, 401);
  assert.equal((await postToken(h, { form: fieldsOf(second) })).status, 200);
});
