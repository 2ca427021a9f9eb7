import assert from "node:assert/strict";
import { createHmac, createSecretKey, randomInt } from "node:crypto";
import { test } from "node:test";
import { inspect } from "node:util";
import {
  composeSecret,
  newCredentialId,
  parseSecret,
  type RandomBytes,
  secretHint,
  secretLength,
  secretPattern,
} from "../../src/domain/secret.ts";

const COUNT = 10_000;
const TAG_AT = -17;
const CHECKSUM_AT = -6;
const BASE62 = [..."0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"];
const tagKey = createSecretKey(Buffer.from(Array.from({ length: 32 }, (_, index) => index)));
const otherKey = createSecretKey(Buffer.alloc(32, 7));
const randomBytes = seededBytes("secret.test");
const secrets = Array.from({ length: COUNT }, () => newSecret());

test("frozen vectors, computed by an independent program, are composed byte for byte", () => {
  const zeroKey = createSecretKey(Buffer.alloc(32));
  const vectors = [
    [
      0,
      "plt",
      tagKey,
      "plt_cs_cred-0123456789abcdefghjk_KLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0Kl0kNLnphAn4KrzOx",
    ],
    // Bytes above 247 are skipped in the random part.
    [
      200,
      "plt",
      tagKey,
      "plt_cs_cred-89abcdefghjkmnpqrstv_YZabcdefghijklmnopqrstuvwxyz0123456789ABCDE8aMLGiL2YzB33BB8h",
    ],
    [
      77,
      "acme2",
      zeroKey,
      "acme2_cs_cred-defghjkmnpqrstvwxyz0_Zabcdefghijklmnopqrstuvwxyz0123456789ABCDEF4QFAn3hfv7P2jAZ00",
    ],
    // Tag and checksum both begin with their padding.
    [
      58,
      "k9",
      tagKey,
      "k9_cs_cred-tvwxyz0123456789abcd_GHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvw0pTGuKkQ3rr0pDFrL",
    ],
  ] as const;
  for (const [start, prefix, key, expected] of vectors) {
    const randomBytes = countingBytes(start);
    const secret = composeSecret({
      prefix,
      credentialId: newCredentialId(randomBytes),
      tagKey: key,
      randomBytes,
    });
    assert.equal(secret, expected);
    assert.ok(parsed(secret, prefix).isTaggedBy([key]));
  }
});

test("every secret has one length and shape, only safe characters, and reads back", () => {
  const whole = new RegExp(`^${secretPattern("plt")}$`);
  for (const secret of secrets) {
    assert.equal(secret.length, 93);
    assert.match(secret, whole);
    assert.match(secret, /^[A-Za-z0-9_-]+$/);
    assert.equal(secret.split("_").length, 4);
    const read = parsed(secret);
    assert.equal(read.credentialId, secret.slice(7, 32));
    assert.ok(read.isTaggedBy([tagKey]));
    assert.equal(secretHint(secret), secret.slice(-4));
  }
  assert.equal(secretLength("plt"), 93);
});

test("ids and random parts never repeat", () => {
  assert.equal(new Set(secrets.map((secret) => parsed(secret).credentialId)).size, COUNT);
  assert.equal(new Set(secrets.map((secret) => secret.slice(33, 76))).size, COUNT);
});

test("characters of the random part and of the id are uniform", () => {
  // Chi-square: mean df, deviation √(2·df). The bounds are six deviations wide; a forgotten rejection is off by hundreds.
  assertUniform(secrets.map((secret) => secret.slice(33, 76)).join(""), BASE62);
  assertUniform(secrets.map((secret) => secret.slice(12, 32)).join(""), [
    ..."0123456789abcdefghjkmnpqrstvwxyz",
  ]);
});

test("the published pattern finds secrets in text and leaves longer runs alone", () => {
  const [first = "", second = ""] = secrets;
  const text = `CLIENT_SECRET=${first}\n{"clientSecret":"${second}"} https://x/?s=${first}&y -${second}-`;
  assert.deepEqual(text.match(new RegExp(secretPattern("plt"), "g")), [first, second, first, second]);
  for (const escaped of [`%3D${first}%26`, `\\n${first}\\n`, `x_${first}`]) {
    assert.deepEqual(escaped.match(new RegExp(secretPattern("plt"), "g")), [first]);
  }
  for (const near of [`${first}x`, `${first}_`, first.toUpperCase(), first.slice(1)]) {
    assert.doesNotMatch(near, new RegExp(secretPattern("plt")));
  }
});

test("the published pattern takes linear time on its own prefix repeated", () => {
  // The engine's step count is out of reach; a pattern of fixed counts without alternatives cannot backtrack.
  assert.doesNotMatch(secretPattern("plt"), /[*+?|]|\{\d+,/);
});

test("a truncated or lengthened secret is refused", () => {
  for (const secret of secrets) {
    assertRefused(secret.slice(0, randomInt(secret.length)));
    assertRefused(secret.slice(randomInt(1, secret.length)));
    assertRefused(secret + pick(BASE62));
    const at = randomInt(secret.length);
    const longer = secret.slice(0, at) + pick(BASE62) + secret.slice(at);
    assertRefused(longer);
    // A checksum that fits makes no difference.
    assertRefused(resummed(longer.slice(0, CHECKSUM_AT)));
    assertRefused(resummed(secret.slice(0, randomInt(secret.length + CHECKSUM_AT))));
  }
});

test("a secret with one character changed, or one letter's case, is refused by its checksum", () => {
  for (const secret of secrets) {
    const at = randomInt(secret.length);
    assertRefused(replaceAt(secret, at, pick(BASE62.filter((char) => char !== secret[at]))));
    const letters = [...secret].flatMap((char, index) => (/[A-Za-z]/.test(char) ? [index] : []));
    const letterAt = pick(letters);
    assertRefused(replaceAt(secret, letterAt, swapCase(secret.charAt(letterAt))));
  }
});

test("nothing is trimmed, folded or normalized", () => {
  for (const secret of secrets) {
    const body = secret.slice("plt_cs_".length);
    for (const text of [
      secret.toUpperCase(),
      secret.toLowerCase(),
      `PLT_CS_${body}`,
      ` ${secret}`,
      `${secret}\n`,
    ]) {
      assertRefused(text);
    }
    assertRefused(resummed(`PLT_CS_${body}`.slice(0, CHECKSUM_AT)));
    assertRefused(resummed(secret.slice(0, CHECKSUM_AT).replace("cred", "Cred")));
    assertRefused(`${secret.slice(0, -1)}\n`);
    assertRefused(`${secret.slice(0, -1)}\u0130`);
  }
  assertRefused("");
});

test("a secret of another prefix is refused", () => {
  for (const secret of secrets.slice(0, 100)) {
    assert.equal(parseSecret(secret, "plu"), undefined);
    assert.equal(parseSecret(secret, "pl"), undefined);
  }
});

test("a wrong tag under a right checksum parses and is refused by every key", () => {
  for (const secret of secrets) {
    const at = TAG_AT + randomInt(11);
    const wrong = replaceAt(secret, at, pick(BASE62.filter((char) => char !== secret.at(at))));
    const read = parsed(resummed(wrong.slice(0, CHECKSUM_AT)));
    assert.equal(read.isTaggedBy([tagKey, otherKey]), false);
  }
});

test("a changed id or random part under a right checksum is refused by the tag", () => {
  for (const secret of secrets) {
    const at = randomInt(2) === 0 ? randomInt(12, 32) : randomInt(33, 76);
    const wrong = replaceAt(secret, at, pick([..."23456789"].filter((char) => char !== secret[at])));
    assert.equal(parsed(resummed(wrong.slice(0, CHECKSUM_AT))).isTaggedBy([tagKey]), false);
  }
});

test("a tag made by a retired key still matches, one by a stranger's does not", () => {
  const read = parsed(secrets[0] ?? "");
  assert.equal(read.isTaggedBy([otherKey, tagKey]), true);
  assert.equal(read.isTaggedBy([otherKey]), false);
  assert.equal(read.isTaggedBy([]), false);
});

test("the checksum is CRC32 over all before it and the tag is 64 bits of HMAC-SHA-256", () => {
  for (const secret of secrets.slice(0, 1_000)) {
    assert.equal(resummed(secret.slice(0, CHECKSUM_AT)), secret);
    const mac = createHmac("sha256", tagKey).update(secret.slice(0, TAG_AT)).digest("hex").slice(0, 16);
    assert.equal(secret.slice(TAG_AT, CHECKSUM_AT), base62(BigInt(`0x${mac}`), 11));
  }
});

test("a prefix or an id that could not be parsed back is never composed", () => {
  const credentialId = newCredentialId(randomBytes);
  for (const prefix of ["", "p", "Plt", "1plt", "p_t", "p-t", "p.t", "a".repeat(17)]) {
    assert.throws(() => composeSecret({ prefix, credentialId, tagKey, randomBytes }), TypeError);
    assert.throws(() => secretPattern(prefix), TypeError);
    assert.throws(() => secretLength(prefix), TypeError);
  }
  for (const id of [
    "",
    "cred-",
    credentialId.slice(1),
    `${credentialId}0`,
    credentialId.replace(/.$/, "u"),
    `${credentialId}\n`,
  ]) {
    assert.throws(() => composeSecret({ prefix: "plt", credentialId: id, tagKey, randomBytes }), TypeError);
  }
});

test("printing a parsed secret shows its id and nothing of the secret", () => {
  const secret = secrets[0] ?? "";
  const read = parsed(secret);
  for (const printed of [inspect(read), JSON.stringify(read), JSON.stringify({ ...read })]) {
    assert.ok(printed.includes(read.credentialId));
    assert.ok(!printed.includes(secret.slice(33, 43)));
    assert.ok(!printed.includes(secret.slice(TAG_AT, CHECKSUM_AT)));
  }
});

function newSecret(): string {
  return composeSecret({ prefix: "plt", credentialId: newCredentialId(randomBytes), tagKey, randomBytes });
}

function parsed(secret: string, prefix = "plt") {
  return parseSecret(secret, prefix) ?? assert.fail(`not a secret: ${secret}`);
}

function assertRefused(text: string): void {
  assert.equal(parseSecret(text, "plt"), undefined, text);
}

function assertUniform(text: string, alphabet: readonly string[]): void {
  const expected = text.length / alphabet.length;
  const counts = new Map(alphabet.map((char) => [char, 0]));
  for (const char of text) counts.set(char, (counts.get(char) ?? assert.fail(char)) + 1);
  const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  const df = alphabet.length - 1;
  assert.ok(Math.abs(chiSquare - df) < 6 * Math.sqrt(2 * df), `chi-square ${chiSquare}`);
}

/** The same bytes in every run, so that a statistical test cannot fail by luck. */
function seededBytes(seed: string): RandomBytes {
  let block = 0;
  return (size) => {
    const blocks = Array.from({ length: Math.ceil(size / 32) }, () =>
      createHmac("sha256", seed).update(String(block++)).digest(),
    );
    return Buffer.concat(blocks).subarray(0, size);
  };
}

function countingBytes(start: number): RandomBytes {
  let next = start;
  return (size) => Uint8Array.from({ length: size }, () => next++ % 256);
}

const pick = <T>(from: readonly T[]): T =>
  from[randomInt(from.length)] ?? assert.fail("nothing to pick from");

const swapCase = (char: string): string =>
  char === char.toLowerCase() ? char.toUpperCase() : char.toLowerCase();

const replaceAt = (text: string, index: number, char: string): string => {
  const at = index < 0 ? text.length + index : index;
  return text.slice(0, at) + char + text.slice(at + 1);
};

const resummed = (text: string): string => text + base62(BigInt(bitwiseCrc32(text)), 6);

function base62(value: bigint, width: number): string {
  let text = "";
  for (let rest = value; rest > 0n; rest /= 62n) text = BASE62[Number(rest % 62n)] + text;
  return text.padStart(width, "0");
}

/** CRC-32 (ISO-HDLC) by definition, to check zlib's. */
function bitwiseCrc32(text: string): number {
  let crc = 0xffffffff;
  for (const byte of Buffer.from(text)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
