import { createHmac, hash, type KeyObject } from "node:crypto";

type Hmac = (text: string) => string;

const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
const INNER_PAD = 0x36;
const OUTER_PAD = 0x5c;
const TEXT_BYTES_MAX = 512;
const BYTES_A_CHARACTER_MAX = 3;

const prepared = new WeakMap<KeyObject, Hmac>();

/**
 * HMAC-SHA-256 (RFC 2104) of a text in UTF-8, as a string with one character for each of its 32 bytes. Made for few keys
 * and many short texts: two hashes over blocks that hold the key already take a third of what an `Hmac` object does.
 */
export function hmacSha256(key: KeyObject, text: string): string {
  let hmac = prepared.get(key);
  if (hmac === undefined) {
    hmac = prepare(key);
    prepared.set(key, hmac);
  }
  return hmac(text);
}

function prepare(key: KeyObject): Hmac {
  const exported = key.export();
  const secret = exported.length > BLOCK_BYTES ? hash("sha256", exported, "buffer") : exported;
  const inner = paddedBlock(secret, INNER_PAD, TEXT_BYTES_MAX);
  const outer = paddedBlock(secret, OUTER_PAD, DIGEST_BYTES);
  return (text) => {
    if (text.length * BYTES_A_CHARACTER_MAX > TEXT_BYTES_MAX)
      return createHmac("sha256", key).update(text).digest("binary");
    const end = BLOCK_BYTES + inner.write(text, BLOCK_BYTES);
    const digest = hash("sha256", inner.subarray(0, end), "binary");
    // The text may be a secret, and this block lives as long as the process.
    inner.fill(0, BLOCK_BYTES, end);
    outer.write(digest, BLOCK_BYTES, "latin1");
    return hash("sha256", outer, "binary");
  };
}

/** The key, filled up to a block and masked, with room behind it. */
function paddedBlock(secret: Uint8Array, pad: number, roomBytes: number): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES + roomBytes);
  block.fill(pad, 0, BLOCK_BYTES);
  for (const [index, byte] of secret.entries()) block[index] = byte ^ pad;
  return block;
}
