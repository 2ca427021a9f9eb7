import { type KeyObject, timingSafeEqual } from "node:crypto";
import { crc32 } from "node:zlib";
import { hmacSha256 } from "./hmac.ts";

/**
 * The format of a client secret (contract, "The secret"):
 *
 *     plt_cs_cred-0123456789abcdefghjk_{43 random}{11 tag}{6 checksum}
 *
 * The random part carries at least 256 bits. The tag (64 bits of HMAC-SHA-256 under the server's key, over all before it)
 * lets the server refuse a forgery without database or argon2. The checksum (CRC32, over all before it) is public: a
 * scanner tells a real secret from a look-alike. Nothing is ever trimmed or case-folded: one secret, one spelling.
 */

/** A source of bytes that nobody can predict: `node:crypto`'s `randomBytes`, or a fixed stream in a test. */
export type RandomBytes = (size: number) => Uint8Array;

/** What an operator may choose as the first word of every secret: 2–16 characters. */
export const SECRET_PREFIX_PATTERN = /^[a-z][a-z0-9]{1,15}$/;
export const SECRET_PREFIX_DEFAULT = "plt";

const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/** Crockford's base32 in lower case: without i, l, o and u, which are misread. */
const BASE32 = "0123456789abcdefghjkmnpqrstvwxyz";

const ID_CHARS = 20;
const RANDOM_CHARS = 43;
const TAG_CHARS = 11;
const CHECKSUM_CHARS = 6;
const HINT_CHARS = 4;

const ID = `cred-[0-9a-hjkmnp-tv-z]{${ID_CHARS}}`;
const BODY = `${ID}_[0-9A-Za-z]{${RANDOM_CHARS + TAG_CHARS + CHECKSUM_CHARS}}`;
const ID_SHAPE = new RegExp(`^${ID}$`);
const BODY_SHAPE = new RegExp(`^${BODY}$`);
const ID_LENGTH = "cred-".length + ID_CHARS;
const BODY_LENGTH = ID_LENGTH + 1 + RANDOM_CHARS + TAG_CHARS + CHECKSUM_CHARS;

/** A text that has a secret's shape and checksum. A stray print of it shows nothing of the secret. */
export interface ParsedSecret {
  readonly credentialId: string;
  /**
   * Whether this server made it: whether one of these keys made the tag, each compared in constant time. The current key
   * comes first, then the retired ones: a forgery costs one HMAC for each.
   */
  readonly isTaggedBy: (tagKeys: readonly KeyObject[]) => boolean;
}

/** `cred-` and 20 characters that carry 100 random bits. */
export function newCredentialId(randomBytes: RandomBytes): string {
  // 32 divides 256, so the low five bits of each byte are uniform as they are.
  return `cred-${Array.from(randomBytes(ID_CHARS), (byte) => BASE32.charAt(byte & 31)).join("")}`;
}

/** Makes a fresh secret for one credential. @throws TypeError for a prefix or an id that could not be parsed back. */
export function composeSecret(from: {
  readonly prefix: string;
  readonly credentialId: string;
  readonly tagKey: KeyObject;
  readonly randomBytes: RandomBytes;
}): string {
  if (!ID_SHAPE.test(from.credentialId)) throw new TypeError("not a credential id");
  const tagged = `${lead(from.prefix)}${from.credentialId}_${randomBase62(RANDOM_CHARS, from.randomBytes)}`;
  const summed = tagged + tagOf(tagged, from.tagKey);
  return summed + checksumOf(summed);
}

/**
 * Reads a secret by shape and checksum; undefined when either is wrong. Needs no key and touches nothing, so it may run
 * on whatever a stranger sent: the length is looked at first.
 */
export function parseSecret(text: string, prefix: string): ParsedSecret | undefined {
  const start = `${prefix}_cs_`;
  if (text.length !== start.length + BODY_LENGTH || !text.startsWith(start)) return undefined;
  if (!BODY_SHAPE.test(text.slice(start.length))) return undefined;
  const summed = text.slice(0, -CHECKSUM_CHARS);
  if (checksumOf(summed) !== text.slice(-CHECKSUM_CHARS)) return undefined;
  return {
    credentialId: text.slice(start.length, start.length + ID_LENGTH),
    isTaggedBy: (tagKeys) => tagKeys.some((key) => isTaggedBy(summed, key)),
  };
}

function isTaggedBy(summed: string, key: KeyObject): boolean {
  const tag = Buffer.from(tagOf(summed.slice(0, -TAG_CHARS), key), "latin1");
  return timingSafeEqual(tag, Buffer.from(summed.slice(-TAG_CHARS), "latin1"));
}

/**
 * The published regular expression that finds secrets in text (RE2, PCRE and JavaScript alike). Every repetition has a
 * fixed count and nothing is optional, so the time is linear. There is no boundary in front: in escaped text a secret stands
 * right behind a letter or digit (`%3Dplt_…`, `\\nplt_…`), and the checksum sorts out what is none.
 */
export const secretPattern = (prefix: string): string => `${lead(prefix)}${BODY}\\b`;

/** The length of every secret with this prefix, in characters (all ASCII): 93 for `plt`. */
export const secretLength = (prefix: string): number => lead(prefix).length + BODY_LENGTH;

/** The last four characters, kept so that people can tell their secrets apart. They are checksum: no random is given away. */
export const secretHint = (secret: string): string => secret.slice(-HINT_CHARS);

function lead(prefix: string): string {
  if (!SECRET_PREFIX_PATTERN.test(prefix)) throw new TypeError("not a secret prefix");
  return `${prefix}_cs_`;
}

const checksumOf = (text: string): string => base62(crc32(text), CHECKSUM_CHARS);

/** The first eight bytes as one number, written in two steps: what is left after the low digits fits a double. */
function tagOf(text: string, key: KeyObject): string {
  const bytes = Buffer.from(hmacSha256(key, text), "latin1");
  const high = bytes.readUInt32BE(0);
  const low = bytes.readUInt32BE(4);
  const middle = (high % TAG_LOW) * 2 ** 32 + low;
  const rest = Math.floor(high / TAG_LOW) * 2 ** 32 + Math.floor(middle / TAG_LOW);
  return base62(rest, TAG_CHARS - TAG_LOW_CHARS) + base62(middle % TAG_LOW, TAG_LOW_CHARS);
}

const TAG_LOW_CHARS = 3;
const TAG_LOW = 62 ** TAG_LOW_CHARS;

/**
 * Most significant digit first, padded with `0`. 62^11 > 2^64 and 62^6 > 2^32, so tag and checksum always fit.
 * @param value below 2^53.
 */
function base62(value: number, width: number): string {
  let digits = "";
  let rest = value;
  for (; digits.length + 2 <= width; rest = Math.floor(rest / PAIRS.length))
    digits = PAIRS[rest % PAIRS.length] + digits;
  return digits.length < width ? BASE62.charAt(rest % 62) + digits : digits;
}

const PAIRS = Array.from({ length: 62 ** 2 }, (_, value) =>
  [Math.floor(value / 62), value % 62].map((digit) => BASE62.charAt(digit)).join(""),
);

function randomBase62(length: number, randomBytes: RandomBytes): string {
  let text = "";
  while (text.length < length) {
    for (const byte of randomBytes(length - text.length)) {
      // 248 is the greatest multiple of 62 in a byte; what lies above would make the first characters likelier.
      if (byte < 248) text += BASE62.charAt(byte % 62);
    }
  }
  return text;
}
