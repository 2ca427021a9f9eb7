import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { encodePart } from "../../support/token.ts";
import {
  type Attack,
  headerOf,
  payloadOf,
  withClaims,
  withParts,
  withSignatureText,
  withToken,
} from "./forge.ts";

const BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Another last character for the same bytes: only spare bits differ. */
function respelled(part: string): string {
  const last = BASE64URL.indexOf(part.at(-1) ?? "");
  const other = part.slice(0, -1) + BASE64URL[last ^ 1];
  assert.deepEqual(Buffer.from(other, "base64url"), Buffer.from(part, "base64url"));
  return other;
}

const padded = (part: string): string => part.padEnd(Math.ceil(part.length / 4) * 4, "=");

export const shapeAttacks: readonly Attack[] = [
  ["empty", "malformed", () => ""],
  ["one part", "malformed", withToken((token) => token.replaceAll(".", ""))],
  ["two dots alone", "malformed", () => ".."],
  ["two parts", "malformed", withToken((token) => token.slice(0, token.lastIndexOf(".")))],
  ["four parts", "malformed", withToken((token) => `${token}.AAAA`)],
  ["a dot at the end", "malformed", withToken((token) => `${token}.`)],
  ["a dot at the start", "malformed", withToken((token) => `.${token}`)],
  ["ten thousand dots", "malformed", () => ".".repeat(10_000)],
  ["eight thousand dots", "malformed", () => ".".repeat(8_000)],
  [
    "a JWE of five parts",
    "malformed",
    (target) => `${encodePart('{"alg":"dir","enc":"A256GCM"}')}..${encodePart(payloadOf(target))}.AAAA.AAAA`,
  ],
  [
    "a JWS in JSON form",
    "malformed",
    (target) => JSON.stringify({ payload: encodePart(payloadOf(target)), signatures: [] }),
  ],
  [
    "a JWT in a JWT",
    "malformed",
    async (target) =>
      target.issuer.signBytes(headerOf(target, { cty: "JWT" }), await target.issuer.sign(), target.main),
  ],
  ["over 8 KiB", "malformed", withClaims({ padding: "x".repeat(8_192) })],
  [
    "the last character of the header respelled",
    "malformed",
    withParts((header, payload) => `${respelled(header)}.${payload}`),
  ],
  [
    "the last character of the payload respelled",
    "malformed",
    withParts((header, payload) => `${header}.${respelled(payload)}`),
  ],
  ["the last character of the signature respelled", "malformed", withSignatureText(respelled)],
  ["padding after the header", "malformed", withParts((header, payload) => `${padded(header)}.${payload}`)],
  ["padding after the payload", "malformed", withParts((header, payload) => `${header}.${padded(payload)}`)],
  ["padding after the signature", "malformed", withToken((token) => `${token}==`)],
  [
    "the alphabet of plain base64",
    "malformed",
    withParts((header) => `${header}.${encodePart('{"a":"~~~~~"}').replaceAll("-", "+")}`),
  ],
  ["a space in front", "malformed", withToken((token) => ` ${token}`)],
  ["a line end behind", "malformed", withToken((token) => `${token}\n`)],
  ["a space before the payload", "malformed", withParts((header, payload) => `${header}. ${payload}`)],
  ["a NUL within", "malformed", withToken((token) => token.replace(".", "\u0000."))],
];
