import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { VerificationService } from "../../gen/keyturn/v1/verification_service_pb.ts";
import { type Administrator, assertRefused, bodyOf, givenAdministrator } from "../support/administrator.ts";
import { auditFaults } from "../support/audit.ts";
import { type RestAnswer, rest } from "../support/clients.ts";
import { forgedSecret } from "../support/forgery.ts";
import {
  givenIssued,
  type IssuedCredential,
  issueFor,
  unissuedSecret,
} from "../support/issued-credential.ts";
import type { TestKeyturn } from "../support/keyturn.ts";
import { holdAccount } from "../support/row-lock.ts";
import { rpcCallersOf } from "../support/rpc-callers.ts";
import { rowsOfCall } from "../support/trail.ts";
import { givenTwoServers, type TwoServers } from "../support/two-servers.ts";
import { verifyAs } from "../support/verifier.ts";

let two: TwoServers;
let h: TestKeyturn;
before(async () => {
  two = await givenTwoServers(5, { KEYTURN_TRUSTED_PROXIES: "127.0.0.1" });
  [h] = two.servers;
});
after(() => two.stop());

const addresses = Array.from({ length: 200 }, (_, n) => `192.0.2.${n + 1}`).values();
/** Each reporter has an address of its own. */
const anyAddress = (): string => addresses.next().value ?? "";

const report = (
  clientSecret: string,
  client = anyAddress(),
  requestId: string = randomUUID(),
): Promise<RestAnswer> =>
  rest(h, "/v1/regions/global/auth/report-leak", {
    method: "POST",
    headers: { "content-type": "application/json", "x-forwarded-for": client, "x-request-id": requestId },
    body: JSON.stringify({ clientSecret }),
  });

const administratorOf = ({ organizationId }: IssuedCredential): Promise<Administrator> =>
  givenAdministrator(h, { organizationId });
const pathOf = ({ accountId, id }: IssuedCredential) => `/service-accounts/${accountId}/credentials/${id}`;

/** What each server says to a verifier who is shown the secret. */
const verdicts = (issued: IssuedCredential): Promise<string[]> =>
  Promise.all(
    two.servers.map(async (server) => {
      const { organizationId, secret: clientSecret } = issued;
      const { body } = await verifyAs(server, { organizationId }, { clientSecret });
      return Object.keys(body).join();
    }),
  );

test("a secret that is turned in at any door, by somebody without a token, is refused at once on every server", async () => {
  const callers = rpcCallersOf(h);
  try {
    for (const caller of callers) {
      const issued = await givenIssued(h);
      assert.deepEqual(await verdicts(issued), ["principal", "principal"]);
      const req = { clientSecret: issued.secret };
      const { body, reason } = await caller.call(VerificationService.method.reportLeakedCredential, req, {});
      assert.deepEqual([reason, body], ["", { received: true }], caller.door);
      assert.deepEqual(await verdicts(issued), ["refusal", "refusal"], caller.door);
    }
  } finally {
    for (const caller of callers) caller.close();
  }
});

test("its credential is shown as revoked, counts no more, and nothing makes it hold again", async () => {
  const issued = await givenIssued(h);
  const admin = await administratorOf(issued);
  const account = `/service-accounts/${issued.accountId}`;
  const { etag } = bodyOf(await admin.get(pathOf(issued)));
  assert.equal(bodyOf(await admin.get(account)).activeCredentialCount, 1);
  assert.equal((await report(issued.secret)).status, 200);

  const shown = bodyOf(await admin.get(pathOf(issued)));
  assert.equal(shown.status, "revoked");
  assert.notEqual(shown.etag, etag);
  assert.equal(bodyOf(await admin.get(account)).activeCredentialCount, 0);
  assertRefused(await admin.post(`${pathOf(issued)}:rotate`), 400, { reason: "CREDENTIAL_NOT_ACTIVE" });
  for (const status of ["disabled", "active"]) bodyOf(await admin.patch(account, { status }));
  bodyOf(await admin.post("/credentials:revokeAll", { exemptServiceAccountIds: [issued.accountId] }));
  assert.equal(bodyOf(await admin.get(pathOf(issued))).status, "revoked");
  assert.deepEqual(await verdicts(issued), ["refusal", "refusal"]);
});

test("it is listed among the revoked and among no others, beside those that the kill switch has ended", async () => {
  const first = await givenIssued(h);
  const admin = await administratorOf(first);
  const account = { organizationId: first.organizationId, id: first.accountId };
  bodyOf(await admin.post(`/service-accounts/${first.accountId}:revokeCredentials`));
  const [second, leaked, fourth] = [
    await issueFor(h, account),
    await issueFor(h, account),
    await issueFor(h, account),
  ];
  await report(leaked.secret);
  const listed = async (status?: string) =>
    bodyOf(await admin.get(`/service-accounts/${first.accountId}/credentials`, { status })).credentials.map(
      ({ id }: { id: string }) => id,
    );
  assert.deepEqual(await listed("revoked"), [first.id, leaked.id]);
  assert.deepEqual(await listed("active"), [second.id, fourth.id]);
  assert.deepEqual(await listed("expired"), []);
  assert.deepEqual(await listed(), [first.id, second.id, leaked.id, fourth.id]);
});

test("the answer is one and the same, byte for byte, whatever was sent", async () => {
  const [right, expired, deleted, again] = await Promise.all([1, 2, 3, 4].map(() => givenIssued(h)));
  assert.ok(right && expired && deleted && again);
  await h.db.sql`update keyturn.credentials set expires_at = clock_timestamp() where id = ${expired.id}`;
  await (await administratorOf(deleted)).delete(pathOf(deleted));
  await report(again.secret);
  const secrets = [right, expired, deleted, again].map(({ secret }) => secret);
  const others = [
    unissuedSecret(),
    unissuedSecret(right.id),
    forgedSecret(right.id),
    "nonsense",
    `${right.secret} `,
  ];
  for (const secret of [...secrets, ...others]) {
    const { status, text, headers } = await report(secret);
    assert.deepEqual(
      [status, text, headers.get("content-type")],
      [200, '{"received":true}', "application/json"],
      secret,
    );
  }
  for (const body of ["{}", "{", '{"clientSecret":""}', '{"clientsecret":"x"}']) {
    const { status } = await rest(h, "/v1/regions/global/auth/report-leak", {
      method: "POST",
      headers: { "content-type": "application/json", "x-forwarded-for": anyAddress() },
      body,
    });
    assert.equal(status, 400, "what is no report at all is said to be none");
  }
});

test("the organization sees it in its trail, once, with the address that it came from", async () => {
  const issued = await givenIssued(h);
  const requests = [randomUUID(), randomUUID()] as const;
  await report(issued.secret, "203.0.113.9", requests[0]);
  await report(issued.secret, "203.0.113.9", requests[1]);
  const [row] = await rowsOfCall(h.db.sql, requests[0]);
  const { occurredAt, serviceAccountUid, ...rest } = row ?? assert.fail("no row");
  assert.deepEqual(rest, {
    organizationId: issued.organizationId,
    action: "credential.report_leak",
    outcome: "succeeded",
    serviceAccountId: issued.accountId,
    credentialId: issued.id,
    issuer: "keyturn",
    subject: "anonymous",
    clientAddress: "203.0.113.9",
    requestId: requests[0],
    details: { status_before: "active" },
  });
  assert.ok(serviceAccountUid !== undefined && occurredAt.getTime() > 0);
  assert.deepEqual(await rowsOfCall(h.db.sql, requests[1]), []);
  assert.deepEqual(await auditFaults(h.db.sql, issued.organizationId), []);
});

test("one that has expired or was deleted is turned in all the same, and the trail says what it was", async () => {
  for (const [expected, end] of [
    [
      "expired",
      ({ id }: IssuedCredential) =>
        h.db.sql`update keyturn.credentials set expires_at = clock_timestamp() where id = ${id}`,
    ],
    ["deleted", async (issued: IssuedCredential) => (await administratorOf(issued)).delete(pathOf(issued))],
  ] as const) {
    const issued = await givenIssued(h);
    await end(issued);
    const requestId = randomUUID();
    await report(issued.secret, anyAddress(), requestId);
    const rows = await rowsOfCall(h.db.sql, requestId);
    assert.deepEqual(
      rows.map(({ action, details }) => [action, details]),
      [["credential.report_leak", { status_before: expected }]],
    );
  }
});

test("of two hundred reports of one secret at the same moment one is written down", async () => {
  const issued = await givenIssued(h);
  const client = anyAddress();
  await verdicts(issued);
  const answers = await Promise.all(Array.from({ length: 200 }, () => report(issued.secret, client)));
  const statuses = new Set(answers.map(({ status }) => status));
  // Those that the account's queue had no place for are told to come back.
  assert.ok(
    [...statuses].every((status) => [200, 409, 503].includes(status)) && statuses.has(200),
    [...statuses].join(),
  );
  const [row] = await h.db.sql`
    select count(*)::int as count from keyturn.audit_events
     where credential_id = ${issued.id} and action = 'credential.report_leak'`;
  assert.equal(row?.["count"], 1);
});

test("whoever turns a secret in again and again holds up no administrator of its account", async () => {
  const issued = await givenIssued(h);
  await report(issued.secret);
  const account = { organizationId: issued.organizationId, id: issued.accountId };
  const held = await holdAccount(h.db, account);
  try {
    assert.equal((await report(issued.secret)).status, 200);
  } finally {
    await held.release();
  }
});

test("a create that is repeated after its secret was turned in gets no secret any more", async () => {
  const { accountId, organizationId } = await givenIssued(h);
  const admin = await givenAdministrator(h, { organizationId });
  const create = () =>
    admin.post(`/service-accounts/${accountId}/credentials`, {}, { "idempotency-key": key });
  const key = randomUUID();
  const { clientSecret, id } = bodyOf(await create(), 201);
  assert.equal(bodyOf(await create(), 201).clientSecret, clientSecret);
  await report(clientSecret);
  const repeated = bodyOf(await create(), 201);
  assert.deepEqual([repeated.id, repeated.status, repeated.clientSecret], [id, "revoked", undefined]);
});

test("who sends too many that are none has to wait, and throttles nobody elsewhere", async () => {
  const client = anyAddress();
  let answer = await report("nonsense", client);
  for (let reports = 1; answer.status === 200; reports += 1) {
    assert.ok(reports < 200, "reports are throttled");
    answer = await report("nonsense", client);
  }
  assertRefused(answer, 429, { reason: "TOO_MANY_ATTEMPTS" });
  const issued = await givenIssued(h);
  assert.equal((await report(issued.secret)).status, 200);
  assert.deepEqual(await verdicts(issued), ["refusal", "refusal"]);
});

test("the secret is in no line of the log", async () => {
  const issued = await givenIssued(h);
  await report(issued.secret);
  assert.match(h.log(), /"rpc_method":"ReportLeakedCredential"/);
  assert.ok(!h.log().includes(issued.secret.slice(-60)));
});
