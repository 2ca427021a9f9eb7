/** What the webhook of two servers is told, from the call that does it to the signed request. */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { Webhook } from "standardwebhooks";
import { type Administrator, bodyOf, givenAdministrator } from "../support/administrator.ts";
import { rest } from "../support/clients.ts";
import { eventually } from "../support/eventually.ts";
import { issueFor } from "../support/issued-credential.ts";
import { givenTwoServers, type TwoServers } from "../support/two-servers.ts";
import { verifyAs } from "../support/verifier.ts";
import {
  type Received,
  startWebhookReceiver,
  type WebhookReceiver,
  webhookSecret,
} from "../support/webhook-receiver.ts";

const SECRETS = [webhookSecret(1), webhookSecret(2)];

let two: TwoServers;
let receiver: WebhookReceiver;
before(async () => {
  receiver = await startWebhookReceiver();
  two = await givenTwoServers(8, {
    KEYTURN_WEBHOOK_URL: receiver.url,
    KEYTURN_WEBHOOK_SECRETS: SECRETS.join(),
    KEYTURN_TOKEN_ISSUER: "https://keyturn.example",
  });
  await eventually(async () => (await two.db.sql`select from keyturn.event_delivery`).length > 0);
});
afterEach(() => receiver.answer((_, res) => void res.writeHead(204).end()));
after(async () => {
  await two.stop();
  await receiver.stop();
});

const acceptedOf = ({ organizationId }: Administrator): Received[] =>
  receiver.accepted.filter(({ event }) => event.data.organizationId === organizationId);

/** What was accepted of an organization, once it is so many. */
const told = (admin: Administrator, count: number): Promise<Received[]> =>
  eventually(() => {
    const accepted = acceptedOf(admin);
    return accepted.length >= count ? accepted : undefined;
  });

const typesOf = (received: readonly Received[]) => received.map(({ event }) => event.type);

async function givenAccount(admin: Administrator, id: string): Promise<string> {
  bodyOf(await admin.post("/service-accounts", { id, displayName: "Account" }), 201);
  return `/service-accounts/${id}`;
}

const [first, second] = [() => two.servers[0], () => two.servers[1]];

test("a credential's whole life is told in its order, signed with both secrets, and nothing secret is in it", async () => {
  const admin = await givenAdministrator(first());
  const account = await givenAccount(admin, "sa-life");
  const created = bodyOf(await admin.post(`${account}/credentials`, { displayName: "rack 1" }), 201);
  const rotated = bodyOf(
    await admin.post(`${account}/credentials/${created.id}:rotate`, { gracePeriod: "60s" }),
    201,
  );
  bodyOf(await admin.delete(`${account}/credentials/${created.id}`), 204);
  bodyOf(await admin.patch(account, { status: "disabled" }));
  const leak = await rest(second(), "/v1/regions/global/auth/report-leak", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ clientSecret: rotated.clientSecret }),
  });
  bodyOf(leak);
  bodyOf(await admin.post(`${account}:revokeCredentials`));
  bodyOf(await admin.delete(account), 204);
  const received = await told(admin, 8);
  assert.deepEqual(typesOf(received), [
    "service_account.created",
    "credential.created",
    "credential.rotated",
    "credential.deleted",
    "service_account.updated",
    "credential.leaked",
    "credential.revoked",
    "service_account.deleted",
  ]);
  for (const { body, headers } of received) {
    for (const secret of SECRETS) new Webhook(secret).verify(body, headers as Record<string, string>);
    for (const { clientSecret } of [created, rotated]) assert.ok(!body.includes(clientSecret.slice(-60)));
    assert.doesNotMatch(body, /argon2|secret/i);
  }
  const [, { event: creation }, { event: rotation }] = received as [Received, Received, Received];
  assert.equal(creation.source, "https://keyturn.example");
  assert.equal(creation.subject, created.selfLink);
  assert.deepEqual(
    [creation.data.credentialId, creation.data.displayName, new Date(creation.data.expiresAt).toISOString()],
    [created.id, "rack 1", created.expiresAt],
  );
  assert.deepEqual(creation.data.actor, { issuer: two.issuer.url, subject: "user-admin-001" });
  assert.deepEqual(
    [rotation.data.credentialId, rotation.data.replacedCredentialId],
    [rotated.id, created.id],
  );
  const log = two.servers.map((server) => server.log()).join("");
  assert.ok(!log.includes(receiver.url) && !log.includes("whsec_"));
});

test("what many callers do on two servers is told once each, every account's in its order", async () => {
  const admin = await givenAdministrator(first());
  const other = await givenAdministrator(second(), admin);
  const accounts = await Promise.all(Array.from({ length: 12 }, (_, n) => givenAccount(admin, `sa-${n}`)));
  const ids = await Promise.all(
    accounts.map(async (account, n) => {
      const by = n % 2 === 0 ? admin : other;
      const own: string[] = [];
      while (own.length < 5) own.push(bodyOf(await by.post(`${account}/credentials`), 201).id);
      return own;
    }),
  );
  await told(admin, 12 * 6);
  await eventually(async () => (await two.db.sql`select from keyturn.events`).length === 0);
  const received = acceptedOf(admin);
  assert.equal(received.length, 12 * 6);
  assert.equal(new Set(received.map(({ event }) => event.id)).size, received.length);
  for (const [n, account] of accounts.entries()) {
    const own = received.filter(({ event }) => event.data.serviceAccountId === account.split("/").at(-1));
    const sequences = own.map(({ event }) => event.sequence);
    assert.deepEqual(sequences, sequences.toSorted());
    assert.deepEqual(
      own.flatMap(({ event }) => event.data.credentialId ?? []).toSorted(),
      ids[n]?.toSorted(),
    );
  }
});

test("nothing is lost and no account's order is broken while the receiver fails two times of three", async () => {
  const admin = await givenAdministrator(first());
  let asked = 0;
  receiver.answer((_, res) => {
    asked += 1;
    void res.writeHead(asked % 3 === 0 ? 204 : 503).end();
  });
  const accounts = [await givenAccount(admin, "sa-a"), await givenAccount(admin, "sa-b")];
  for (let n = 0; n < 3; n += 1)
    for (const account of accounts) bodyOf(await admin.post(`${account}/credentials`), 201);
  await eventually(() => asked >= 4);
  receiver.answer((_, res) => void res.writeHead(204).end());
  const received = await told(admin, 8);
  for (const id of ["sa-a", "sa-b"]) {
    const own = received.filter(({ event }) => event.data.serviceAccountId === id);
    const sequences = own.map(({ event }) => event.sequence);
    assert.deepEqual(sequences, sequences.toSorted());
    assert.deepEqual(typesOf(own), ["service_account.created", ...Array(3).fill("credential.created")]);
  }
  const attempts = /keyturn_event_attempts_total\{outcome="server_error"\} [1-9]/;
  const metrics = await Promise.all(
    two.servers.map(({ adminUrl }) => rest({ httpUrl: adminUrl }, "/metrics").then(({ text }) => text)),
  );
  assert.ok(metrics.some((text) => attempts.test(text)));
  for (const text of metrics) {
    assert.match(text, /\nkeyturn_events_pending \d/);
    assert.match(text, /\nkeyturn_events_oldest_age_seconds \d/);
  }
});

test("events that the receiver refuses hold up their own accounts, however many those are, and no other", async () => {
  const admin = await givenAdministrator(first());
  const asked = new Map<string, number>();
  receiver.answer(({ event: { data } }, res) => {
    asked.set(data.serviceAccountId, (asked.get(data.serviceAccountId) ?? 0) + 1);
    void res.writeHead(data.serviceAccountId.startsWith("sa-stuck") ? 400 : 204).end();
  });
  for (let n = 0; n < 40; n += 1) {
    const stuck = await givenAccount(admin, `sa-stuck-${n}`);
    if (n === 0) bodyOf(await admin.post(`${stuck}/credentials`), 201);
  }
  await eventually(() => asked.size === 40 && [...asked.values()].every((count) => count >= 3));
  bodyOf(await admin.post(`${await givenAccount(admin, "sa-free")}/credentials`), 201);
  const received = await told(admin, 2);
  assert.deepEqual(typesOf(received), ["service_account.created", "credential.created"]);
  assert.ok(received.every(({ event }) => event.data.serviceAccountId === "sa-free"));
  const tried = receiver.received.filter(({ event }) =>
    event.subject?.startsWith("/v1/iam/service-accounts/sa-stuck-0/credentials"),
  );
  assert.deepEqual(tried, []);
  const [{ event } = assert.fail()] = receiver.received.filter(
    ({ event: { data } }) => data.serviceAccountId === "sa-stuck-0",
  );
  const lines = two.servers.flatMap((server) => server.log().split("\n"));
  const { outcome, http_status, organization_id, service_account_id, attempts } = JSON.parse(
    lines.find((line) => line.includes(event.id)) ?? "{}",
  );
  assert.deepEqual(
    [outcome, http_status, organization_id, service_account_id, attempts >= 1],
    ["refused", 400, admin.organizationId, "sa-stuck-0", true],
  );
});

test("administrators are told that a deleted secret is still presented somewhere", async () => {
  const admin = await givenAdministrator(first());
  const { organizationId } = admin;
  const account = await givenAccount(admin, "sa-old");
  const { id, secret } = await issueFor(first(), { organizationId, id: "sa-old" });
  bodyOf(await admin.delete(`${account}/credentials/${id}`), 204);
  await verifyAs(
    second(),
    { organizationId },
    { clientSecret: secret, sourceIp: "203.0.113.7", userAgent: "curl/8" },
  );
  await eventually(
    async () =>
      (await two.db.sql`select from keyturn.credential_usage where credential_id = ${id}`).length > 0,
  );
  await two.db.sql`select keyturn.tell_refused_uses(10)`;
  const [, , , refused] = await told(admin, 4);
  const { type, data } = refused?.event ?? assert.fail();
  assert.deepEqual(
    [type, data.credentialId, data.reason, data.lastRefusedIp, data.lastRefusedUserAgent],
    ["credential.refused_use", id, "deleted", "203.0.113.7", "curl/8"],
  );
});
