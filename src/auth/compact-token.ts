import { Buffer } from "node:buffer";
import { unauthenticated } from "../domain/fault.ts";
import { isJsonObject, type JsonObject, parseStrictJson, StrictJsonError } from "../domain/strict-json.ts";

/** Largest token that is looked at, in bytes: RFC 7519 sets none, real ones have one or two thousand. */
export const TOKEN_BYTES_MAX = 8 * 1024;

/** A JWS in compact form (RFC 7515 section 7.1), taken apart and not yet believed. */
export interface CompactToken {
  readonly header: JsonObject;
  readonly payload: JsonObject;
  /** What was signed: header and payload as they were sent, with the dot between them. */
  readonly signed: Uint8Array<ArrayBuffer>;
  readonly signature: Uint8Array<ArrayBuffer>;
}

/**
 * Takes a token apart, so that there is one way only to write it and one way only to read it.
 * @throws FaultError `unauthenticated` `malformed`: over 8 KiB, not three non-empty parts of canonical base64url, or a
 * header or payload that is not one strict JSON object.
 */
export function parseCompactToken(token: string): CompactToken {
  if (token.length > TOKEN_BYTES_MAX) throw unauthenticated("malformed");
  // Never splits further than it must, so ten thousand dots cost as little as four.
  const [header, payload, signature, rest] = token.split(".", 4);
  if (!header || !payload || !signature || rest !== undefined) throw unauthenticated("malformed");
  return {
    header: readObject(decodePart(header)),
    payload: readObject(decodePart(payload)),
    signature: decodePart(signature),
    signed: Buffer.from(token.slice(0, header.length + 1 + payload.length), "latin1"),
  };
}

/**
 * Only what encodes back to the same characters: no padding, no space, no foreign character, and no spare bits in the
 * last one, which would let a stranger write the same token in sixteen ways (RFC 4648 section 3.5).
 */
function decodePart(part: string): Uint8Array<ArrayBuffer> {
  const bytes = Buffer.from(part, "base64url");
  if (bytes.toString("base64url") !== part) throw unauthenticated("malformed");
  return bytes;
}

function readObject(bytes: Uint8Array): JsonObject {
  try {
    const value = parseStrictJson(bytes);
    if (isJsonObject(value)) return value;
  } catch (err) {
    if (!(err instanceof StrictJsonError)) throw err;
  }
  throw unauthenticated("malformed");
}
