import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { after, afterEach, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createServer } from "node:tls";
import { Webhook } from "standardwebhooks";
import { createSender, type SenderOptions } from "../../src/webhook/sender.ts";
import { webhookKeyOf } from "../../src/webhook/signature.ts";
import { selfSigned } from "../support/certificate.ts";
import { startWebhookReceiver, type WebhookReceiver, webhookSecret } from "../support/webhook-receiver.ts";
import { givenEvent } from "./given-event.ts";

let receiver: WebhookReceiver;
before(async () => {
  receiver = await startWebhookReceiver();
});
afterEach(() => {
  receiver.received.length = 0;
  receiver.answer((_, res) => void res.writeHead(204).end());
});
after(() => receiver.stop());

const { signal } = new AbortController();
const sender = (more: Partial<SenderOptions> = {}) =>
  createSender({
    fetch,
    url: new URL(receiver.url),
    keys: [webhookKeyOf(webhookSecret()) ?? assert.fail()],
    source: "https://keyturn.example",
    timeoutMs: 10_000,
    now: () => new Date(),
    ...more,
  });

test("an event is sent as a structured CloudEvent that the official library verifies, the same bytes each time", async () => {
  const event = givenEvent();
  for (let n = 0; n < 2; n += 1)
    assert.deepEqual(await sender()(event, signal), {
      outcome: "accepted",
      httpStatus: 204,
      retryAfterMs: undefined,
    });
  const [first, second] = receiver.received;
  assert.ok(first && second);
  assert.equal(first.body, second.body);
  assert.equal(first.headers["content-type"], "application/cloudevents+json; charset=utf-8");
  assert.equal(first.headers["webhook-id"], event.id);
  const headers = first.headers as Record<string, string>;
  assert.deepEqual(new Webhook(webhookSecret()).verify(first.body, headers), {
    specversion: "1.0",
    id: event.id,
    source: "https://keyturn.example",
    type: "credential.created",
    subject: "/v1/iam/service-accounts/sa-pipeline-prod/credentials/cred-8cff40q88ee78y5ssat3",
    time: "2026-11-24T15:00:31.396Z",
    datacontenttype: "application/json",
    partitionkey: event.serviceAccountUid,
    sequence: "0000000000000000042",
    data: {
      organizationId: "acme",
      serviceAccountId: "sa-pipeline-prod",
      serviceAccountUid: event.serviceAccountUid,
      credentialId: "cred-8cff40q88ee78y5ssat3",
      expiresAt: "2027-02-22T03:52:48.373+00:00",
      actor: { issuer: "i", subject: "s" },
    },
  });
});

test("an event of the organization itself names no account and no resource", async () => {
  const uid = "00000000-0000-0000-0000-000000000000";
  const none = { serviceAccountId: undefined, credentialId: undefined, data: {} };
  await sender()(givenEvent({ serviceAccountUid: uid, type: "organization.suspended", ...none }), signal);
  const [{ event } = assert.fail()] = receiver.received;
  assert.deepEqual(
    [event.partitionkey, event.subject, event.data],
    ["acme", undefined, { organizationId: "acme" }],
  );
});

const ANSWERS = [
  [200, "accepted"],
  [202, "accepted"],
  [301, "redirected"],
  [307, "redirected"],
  [400, "refused"],
  [401, "client_error"],
  [403, "client_error"],
  [404, "client_error"],
  [408, "client_error"],
  [422, "refused"],
  [410, "gone"],
  [429, "throttled"],
  [500, "server_error"],
  [503, "server_error"],
] as const;
for (const [status, outcome] of ANSWERS) {
  test(`an answer of ${status} is ${outcome}, and leads nowhere else`, async () => {
    receiver.answer((_, res) => void res.writeHead(status, { location: receiver.url }).end());
    const { retryAfterMs, ...attempt } = await sender()(givenEvent(), signal);
    assert.deepEqual(attempt, { outcome, httpStatus: status });
    assert.equal(receiver.received.length, 1);
    assert.equal(retryAfterMs, status === 410 ? 300_000 : undefined);
  });
}

test("a receiver may say how long it wants to be left alone, up to five minutes", async () => {
  for (const [sent, ms] of [
    ["7", 7_000],
    ["999999", 300_000],
    ["-1", undefined],
    ["Wed, 21 Oct 2026 07:28:00 GMT", undefined],
  ] as const) {
    receiver.answer((_, res) => void res.writeHead(503, { "retry-after": sent }).end());
    assert.equal((await sender()(givenEvent(), signal)).retryAfterMs, ms, sent);
  }
});

test("a receiver that is silent has not accepted, and whoever stops does not wait", async () => {
  receiver.answer(() => {});
  assert.equal((await sender({ timeoutMs: 50 })(givenEvent(), signal)).outcome, "timed_out");
  const stopping = new AbortController();
  const sent = sender()(givenEvent(), stopping.signal);
  stopping.abort();
  assert.equal((await sent).outcome, "unreachable");
});

test("why there was no answer is said by a code, and never by the URL", async () => {
  const failed = async (url: string) => {
    const { retryAfterMs: _, ...attempt } = await sender({ url: new URL(url) })(givenEvent(), signal);
    return attempt;
  };
  receiver.answer((_, res) => void res.destroy());
  assert.deepEqual(await failed(receiver.url), { outcome: "unreachable", problem: "UND_ERR_SOCKET" });
  const closed = await startWebhookReceiver();
  await closed.stop();
  assert.deepEqual(await failed(closed.url), { outcome: "unreachable", problem: "ECONNREFUSED" });
  assert.match((await failed("https://hooks.invalid/")).problem ?? "", /^(ENOTFOUND|EAI_AGAIN)$/);
  const { key, cert } = selfSigned();
  const stranger = createServer({ key, cert }).listen(0, "127.0.0.1");
  await once(stranger, "listening");
  const { port } = stranger.address() as AddressInfo;
  assert.deepEqual(await failed(`https://localhost:${port}/`), {
    outcome: "unreachable",
    problem: "DEPTH_ZERO_SELF_SIGNED_CERT",
  });
  stranger.close();
  // A port that no browser asks: the HTTP client has no code for that.
  assert.deepEqual(await failed("http://127.0.0.1:9/"), { outcome: "unreachable" });
});

test("an answer counts by its status, however long its body is, and a short one leaves the connection open", async () => {
  const connections = receiver.connections();
  receiver.answer((_, res) => void res.writeHead(200).end("thank you"));
  for (let n = 0; n < 5; n += 1) assert.equal((await sender()(givenEvent(), signal)).outcome, "accepted");
  assert.ok(receiver.connections() - connections <= 1);
  let written = 0;
  receiver.answer(async (_, res) => {
    res.writeHead(200);
    while (!res.destroyed && written < 1e9) {
      written += 65_536;
      if (!res.write(Buffer.alloc(65_536)))
        await Promise.race([new Promise((go) => res.once("drain", go)), delay(20)]);
    }
  });
  assert.equal((await sender()(givenEvent(), signal)).outcome, "accepted");
  await delay(50);
  assert.ok(written < 1e8, `${written}`);
});
