import { createHmac } from "node:crypto";

/** `whsec_` and the key in base64 (Standard Webhooks, "Signature scheme"). */
const SECRET = /^whsec_([A-Za-z0-9+/]+={0,2})$/;
const KEY_BYTES_MIN = 24;
const KEY_BYTES_MAX = 64;

/** The key of a secret; undefined for a text that is none, or has fewer than 24 bytes or more than 64. */
export function webhookKeyOf(secret: string): Buffer | undefined {
  const [, encoded] = SECRET.exec(secret) ?? [];
  const key = Buffer.from(encoded ?? "", "base64");
  // Node reads half a character too much or too little without a word.
  const isExact = key.toString("base64").replace(/=+$/, "") === encoded?.replace(/=+$/, "");
  return isExact && key.length >= KEY_BYTES_MIN && key.length <= KEY_BYTES_MAX ? key : undefined;
}

/**
 * The headers that say who sent a body, and when: one signature for each key, so that the receiver may know the old one
 * or the new one while they are rotated.
 */
export function signedHeaders(
  { id, body }: { readonly id: string; readonly body: string },
  keys: readonly Buffer[],
  now: Date,
): Record<string, string> {
  const timestamp = String(Math.floor(now.getTime() / 1000));
  const signatures = keys.map((key) => {
    const digest = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
    return `v1,${digest}`;
  });
  return {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": signatures.join(" "),
  };
}
