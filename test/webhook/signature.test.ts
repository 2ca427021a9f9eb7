import assert from "node:assert/strict";
import { test } from "node:test";
import { Webhook } from "standardwebhooks";
import { signedHeaders, webhookKeyOf } from "../../src/webhook/signature.ts";
import { webhookSecret } from "../support/webhook-receiver.ts";

const keysOf = (...secrets: string[]): Buffer[] =>
  secrets.map((secret) => webhookKeyOf(secret) ?? assert.fail(secret));

const id = "msg-1";
const body = '{"a":"Zoë, 東京 🔑"}';

test("the official library takes what is signed, with either secret while there are two, and with no other", () => {
  const headers = signedHeaders({ id, body }, keysOf(webhookSecret(1), webhookSecret(2)), new Date());
  for (const secret of [webhookSecret(1), webhookSecret(2)])
    assert.deepEqual(new Webhook(secret).verify(body, headers), JSON.parse(body));
  assert.throws(() => new Webhook(webhookSecret(3)).verify(body, headers));
  assert.throws(() => new Webhook(webhookSecret(1)).verify(`${body} `, headers));
  assert.throws(() => new Webhook(webhookSecret(1)).verify(body, { ...headers, "webhook-id": "msg-2" }));
});

test("what is signed is what the official library signs, and it is taken for old when it is old", () => {
  const at = new Date("2026-11-24T15:00:31.999Z");
  const headers = signedHeaders({ id, body }, keysOf(webhookSecret()), at);
  assert.equal(headers["webhook-signature"], new Webhook(webhookSecret()).sign(id, at, body));
  assert.equal(headers["webhook-timestamp"], String(Math.floor(at.getTime() / 1000)));
  const old = signedHeaders({ id, body }, keysOf(webhookSecret()), new Date(Date.now() - 3_600_000));
  assert.throws(() => new Webhook(webhookSecret()).verify(body, old));
});

test("a secret is whsec_ and 24 to 64 bytes in base64, and nothing else is", () => {
  const bytes = (length: number) => `whsec_${Buffer.alloc(length, 255).toString("base64")}`;
  for (const length of [24, 25, 32, 64]) assert.equal(webhookKeyOf(bytes(length))?.length, length);
  assert.ok(webhookKeyOf(bytes(32).replace(/=+$/, "")));
  const whole = bytes(32);
  for (const wrong of [
    "",
    "whsec_",
    whole.slice(6),
    ` ${whole}`,
    `${whole}==`,
    whole.slice(0, -3),
    bytes(23),
    bytes(65),
    whole.replaceAll("/", "_"),
  ])
    assert.equal(webhookKeyOf(wrong), undefined, wrong);
});
