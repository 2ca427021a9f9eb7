import assert from "node:assert/strict";
import { createSecretKey, randomBytes } from "node:crypto";
import { test } from "node:test";
import { open, seal } from "../../src/auth/aes-gcm.ts";

const key = createSecretKey(Buffer.alloc(32, 1));
const context = "context";

/** Test cases 13, 14 and 16 of McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B, in hex. */
const PUBLISHED = [
  {
    key: "00".repeat(32),
    nonce: "00".repeat(12),
    plaintext: "",
    context: "",
    ciphertext: "",
    tag: "530f8afbc74536b9a963b4f1c4cb738b",
  },
  {
    key: "00".repeat(32),
    nonce: "00".repeat(12),
    plaintext: "00".repeat(16),
    context: "",
    ciphertext: "cea7403d4d606b6e074ec5d3baf39d18",
    tag: "d0d1c8a799996bf0265b98b5d48ab919",
  },
  {
    key: "feffe9928665731c6d6a8f9467308308".repeat(2),
    nonce: "cafebabefacedbaddecaf888",
    plaintext:
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72" +
      "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
    context: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
    ciphertext:
      "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa" +
      "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
    tag: "76fc6ece0f4e1768cddf8853bb2d551b",
  },
];

test("the published test cases come out, as nonce, ciphertext and tag", () => {
  for (const one of PUBLISHED) {
    const caseKey = createSecretKey(bytes(one.key));
    const sizes: number[] = [];
    const nonce = (size: number) => {
      sizes.push(size);
      return bytes(one.nonce);
    };
    const sealed = seal(caseKey, bytes(one.plaintext), bytes(one.context), nonce);
    assert.equal(sealed.toString("hex"), one.nonce + one.ciphertext + one.tag);
    assert.deepEqual(sizes, [12]);
    assert.deepEqual(open(caseKey, sealed, bytes(one.context)), bytes(one.plaintext));
  }
});

test("what is sealed comes back, for every length", () => {
  for (let length = 0; length < 100; length++) {
    const plaintext = randomBytes(length);
    const sealed = seal(key, plaintext, context, randomBytes);
    assert.equal(sealed.length, 12 + length + 16);
    assert.deepEqual(open(key, Uint8Array.from(sealed), context), plaintext);
  }
});

test("text counts as its UTF-8, in plaintext and context", () => {
  const text = "é𝒜\0";
  const utf8 = Buffer.from(text, "utf8");
  assert.deepEqual(open(key, seal(key, text, text, randomBytes), utf8), utf8);
  assert.deepEqual(open(key, seal(key, utf8, utf8, randomBytes), text), utf8);
});

test("another key or context opens nothing", () => {
  const sealed = seal(key, "text", context, randomBytes);
  assertRefused(sealed, { by: createSecretKey(Buffer.alloc(32, 2)) });
  for (const other of ["", "contex", "context ", "Context"]) assertRefused(sealed, { context: other });
});

test("every flipped bit is refused, and every byte cut off or put on", () => {
  for (const plaintext of ["", "text"]) {
    const sealed = seal(key, plaintext, context, randomBytes);
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const flipped = Buffer.from(sealed);
      flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      assertRefused(flipped);
    }
    for (let at = 0; at < sealed.length; at++) {
      assertRefused(sealed.subarray(0, at));
      assertRefused(sealed.subarray(at + 1));
    }
    assertRefused(Buffer.concat([sealed, Buffer.alloc(1)]));
    assertRefused(Buffer.concat([Buffer.alloc(1), sealed]));
  }
});

test("no bytes make it throw", () => {
  for (let length = 0; length < 1_000; length++) {
    assertRefused(randomBytes(length));
    assertRefused(new Uint8Array(length));
  }
});

test("a key of another length is a defect, and never an answer", () => {
  const sealed = seal(key, "text", context, randomBytes);
  for (const length of [16, 24, 31, 33]) {
    const wrong = createSecretKey(Buffer.alloc(length, 1));
    assert.throws(() => seal(wrong, "text", context, randomBytes), RangeError);
    assert.throws(() => open(wrong, sealed, context), RangeError);
  }
});

function assertRefused(sealed: Uint8Array, other: { by?: typeof key; context?: string } = {}): void {
  const given = { by: key, context, ...other };
  assert.equal(open(given.by, sealed, given.context), undefined, Buffer.from(sealed).toString("hex"));
}

function bytes(hex: string): Buffer {
  return Buffer.from(hex, "hex");
}
