import { randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";
import { unissuedSecret } from "./issued-credential.ts";

const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const CHECKSUM_CHARS = 6;
const TAG_CHARS = 11;

/** The checksum of a secret, which everybody can compute: written from the contract, and not with the server's code. */
export function checksumOf(text: string): string {
  let digits = "";
  for (let rest = crc32(text); digits.length < CHECKSUM_CHARS; rest = Math.floor(rest / 62))
    digits = BASE62.charAt(rest % 62) + digits;
  return digits;
}

/** The same text with the checksum that it should have. */
export function rechecksummed(secret: string): string {
  const summed = secret.slice(0, -CHECKSUM_CHARS);
  return summed + checksumOf(summed);
}

/** What a stranger can make: the shape and the checksum are right, and the tag is not. */
export function forgedSecret(credentialId?: string): string {
  const tagged = unissuedSecret(credentialId).slice(0, -TAG_CHARS - CHECKSUM_CHARS);
  const tag = Array.from(randomBytes(TAG_CHARS), (byte) => BASE62.charAt(byte % 62)).join("");
  return rechecksummed(`${tagged}${tag}000000`);
}
