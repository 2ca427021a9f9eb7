import assert from "node:assert/strict";
import { createCipheriv, createSecretKey, randomBytes } from "node:crypto";
import { test } from "node:test";
import { createPageTokens, PAGE_TOKEN_LENGTH_MAX } from "../../src/auth/page-token.ts";
import { deriveKeys, type KeyRing } from "../../src/auth/root-keys.ts";

const BASE64URL = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"];
const FOREIGN = [..."=+/. %\n\0é", "\ud800", "𝒜"];
const binding = ["service_accounts", "org-1"];
const position = ["2026-01-02T03:04:05.678Z", "sa-1"];
const current = createSecretKey(Buffer.alloc(32, 1));
const former = createSecretKey(Buffer.alloc(32, 2));
const tokens = tokensOf([current]);
const token = tokens.seal(binding, position);

test("a position comes back as it went in, for every size and any text", () => {
  for (const strings of [[], [""], position, ["a", "", "b"], ['","', "\0", "é𝒜"]]) {
    assert.deepEqual(tokens.open(binding, tokens.seal(binding, strings)), strings);
  }
  for (let length = 0; length < 50; length++) {
    const one = ["x".repeat(length)];
    assert.deepEqual(tokens.open(binding, tokens.seal(binding, one)), one);
  }
});

test("a token is AES-256-GCM under the derived key, frozen", () => {
  // Computed by an independent program: key by RFC 5869 from bytes 0 to 31, nonce of bytes 0 to 11.
  const expected = "AAECAwQFBgcICQoLDtLVm_04IMrn7Ufa80GeAkjPdfpwbImPvL3CA5mSxe-R_S1dFzlGOwLpVmJOHVzjHHE0";
  const counting = (size: number) => Uint8Array.from({ length: size }, (_, index) => index);
  const { pageToken } = deriveKeys([createSecretKey(counting(32))]);
  assert.equal(createPageTokens(pageToken, counting).seal(binding, position), expected);
  assert.deepEqual(tokensOf(pageToken).open(binding, expected), position);
});

test("a token needs no escape in a URL and shows nothing of its position", () => {
  const words = ["AAAAAAAA", "BBBBBBBB"];
  const sealed = tokens.seal(binding, words);
  assert.match(sealed, /^[A-Za-z0-9_-]+$/);
  for (const text of [sealed, Buffer.from(sealed, "base64url").toString("latin1")]) {
    for (const word of [...words, ...binding]) {
      assert.ok(!text.includes(word));
      assert.ok(!text.includes(Buffer.from(word).toString("base64url").slice(0, 6)));
    }
  }
});

test("the same position sealed twice gives two tokens", () => {
  const sealed = Array.from({ length: 1_000 }, () => tokens.seal(binding, position));
  assert.equal(new Set(sealed).size, sealed.length);
});

test("every change of a single character is refused", () => {
  for (const [at, original] of [...token].entries()) {
    for (const char of [...BASE64URL, ...FOREIGN]) {
      if (char !== original) assertRefused(token.slice(0, at) + char + token.slice(at + 1));
    }
  }
});

test("every truncation is refused, from either end, and every character left out", () => {
  for (let at = 0; at < token.length; at++) {
    assertRefused(token.slice(0, at));
    assertRefused(token.slice(at + 1));
    assertRefused(token.slice(0, at) + token.slice(at + 1));
  }
});

test("every character put in is refused, at any place", () => {
  for (let at = 0; at <= token.length; at++) {
    for (const char of [...BASE64URL, ...FOREIGN]) assertRefused(token.slice(0, at) + char + token.slice(at));
  }
});

test("a token has one spelling", () => {
  // Each residue of the length modulo 3, for only two of them leave spare bits or call for padding.
  for (const text of ["1", "12", "123"]) {
    const sealed = tokens.seal(binding, [text]);
    const bytes = Buffer.from(sealed, "base64url");
    for (const char of BASE64URL) {
      const twin = sealed.slice(0, -1) + char;
      if (twin !== sealed && bytes.equals(Buffer.from(twin, "base64url"))) assertRefused(twin);
    }
    for (const tail of ["=", "==", " ", "\n", "!", ".x"]) assertRefused(sealed + tail);
  }
  // The two characters that standard base64 writes otherwise.
  const other = Array.from({ length: 100 }, () => tokens.seal(binding, position));
  for (const sealed of other.filter((text) => /[-_]/.test(text))) {
    assertRefused(sealed.replaceAll("-", "+").replaceAll("_", "/"));
  }
});

test("a token opens with its very binding only", () => {
  const bindings = [
    [],
    [""],
    ["a", "b"],
    ["b", "a"],
    ["a,b"],
    ["ab"],
    ['a","b'],
    ["a", "b", ""],
    ["a"],
    ["A"],
    // Plain UTF-8 writes both as U+FFFD.
    ["\ud800"],
    ["\ud801"],
    // Composed and decomposed: nothing is normalized.
    ["\u00e9"],
    ["e\u0301"],
  ];
  for (const [sealedFor, one] of bindings.entries()) {
    const sealed = tokens.seal(one, position);
    for (const [openedFor, other] of bindings.entries()) {
      assert.deepEqual(tokens.open(other, sealed), openedFor === sealedFor ? position : undefined);
    }
  }
});

test("a retired key still opens, the current one seals, and a dropped one opens nothing", () => {
  const old = tokensOf([former]).seal(binding, position);
  const both = tokensOf([current, former]);
  assert.deepEqual(both.open(binding, old), position);
  assert.deepEqual(tokens.open(binding, both.seal(binding, position)), position);
  assertRefused(old);
});

test("a token of another format is refused though the key is right", () => {
  assert.deepEqual(tokens.open(binding, crafted(["keyturn page token 1", ...binding], position)), position);
  assertRefused(crafted(["keyturn page token 2", ...binding], position));
  assertRefused(crafted(binding, position));
});

test("the longest token opens, and one above it is neither made nor opened", () => {
  const longest = ["x".repeat(736)];
  const sealed = tokens.seal(binding, longest);
  assert.equal(sealed.length, PAGE_TOKEN_LENGTH_MAX);
  assert.deepEqual(tokens.open(binding, sealed), longest);
  const above = ["x".repeat(737)];
  assert.throws(() => tokens.seal(binding, above), RangeError);
  assertRefused(crafted(["keyturn page token 1", ...binding], above));
});

test("nothing a stranger sends makes it throw", () => {
  for (const text of ["", "A", "null", "undefined", "[]", "\ud800", "A".repeat(37), "A".repeat(1 << 20)])
    assertRefused(text);
  for (let round = 0; round < 2_000; round++) assertRefused(randomBytes(round % 800).toString("base64url"));
});

function tokensOf(keys: KeyRing) {
  return createPageTokens(keys, randomBytes);
}

function assertRefused(text: string): void {
  assert.equal(tokens.open(binding, text), undefined, text);
}

/** A token under the right key that `seal` would not make. */
function crafted(context: readonly string[], strings: readonly string[]): string {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", current, nonce).setAAD(Buffer.from(JSON.stringify(context)));
  const text = cipher.update(JSON.stringify(strings));
  return Buffer.concat([nonce, text, cipher.final(), cipher.getAuthTag()]).toString("base64url");
}
