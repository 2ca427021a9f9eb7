import { createCipheriv, createDecipheriv, type KeyObject } from "node:crypto";
import type { RandomBytes } from "../domain/secret.ts";

/**
 * Authenticated encryption for whatever leaves the process and must come back as it was: AES-256-GCM (NIST SP 800-38D).
 * Sealed is
 *
 *     {12 nonce}{ciphertext, as long as the plaintext}{16 tag}
 *
 * The context is authenticated and not kept: whoever opens must name the same. Text counts as its UTF-8, in which all lone
 * surrogates are alike, so a context that may hold one is escaped by its author.
 */

const CIPHER = "aes-256-gcm";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Nonces are random, which SP 800-38D section 8.3 allows for 2^32 seals under one key. Past that one may repeat, which
 * costs the secrecy of both plaintexts and lets seals be forged.
 * @throws RangeError for a key that has not 32 bytes.
 */
export function seal(
  key: KeyObject,
  plaintext: Uint8Array | string,
  context: Uint8Array | string,
  randomBytes: RandomBytes,
): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES }).setAAD(bytesOf(context));
  return Buffer.concat([nonce, cipher.update(bytesOf(plaintext)), cipher.final(), cipher.getAuthTag()]);
}

/**
 * The plaintext, or undefined for whatever was not sealed with this very key and context. No bytes make it throw.
 * @throws RangeError for a key that has not 32 bytes.
 */
export function open(key: KeyObject, sealed: Uint8Array, context: Uint8Array | string): Buffer | undefined {
  if (sealed.length < NONCE_BYTES + TAG_BYTES) return undefined;
  const nonce = sealed.subarray(0, NONCE_BYTES);
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
    .setAAD(bytesOf(context))
    .setAuthTag(sealed.subarray(-TAG_BYTES));
  try {
    // `final` compares the tag: until then the text is a stranger's, so it leaves only after that.
    return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch {
    return undefined;
  }
}

const bytesOf = (data: Uint8Array | string): Uint8Array =>
  typeof data === "string" ? Buffer.from(data) : data;
