import assert from "node:assert/strict";
import { createHmac, createSecretKey } from "node:crypto";
import { test } from "node:test";
import { hmacSha256 } from "../../src/domain/hmac.ts";

/** Test cases 1, 2 and 6 of RFC 4231, those whose data are text; keys and results in hex. */
const PUBLISHED = [
  {
    key: "0b".repeat(20),
    text: "Hi There",
    hmac: "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
  },
  {
    key: Buffer.from("Jefe").toString("hex"),
    text: "what do ya want for nothing?",
    hmac: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
  },
  {
    key: "aa".repeat(131),
    text: "Test Using Larger Than Block-Size Key - Hash Key First",
    hmac: "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
  },
];

const secretKey = (hex: string) => createSecretKey(Buffer.from(hex, "hex"));
const hexOf = (digest: string) => Buffer.from(digest, "latin1").toString("hex");

test("published results", () => {
  for (const { key, text, hmac } of PUBLISHED) assert.equal(hexOf(hmacSha256(secretKey(key), text)), hmac);
});

test("texts of every length and any characters have the HMAC that OpenSSL gives them, one after the other", () => {
  const keys = [secretKey("01".repeat(32)), secretKey("02".repeat(64)), secretKey("03".repeat(65))];
  const long = "é€😀\0 plain ".repeat(60);
  for (let length = 0; length <= long.length; length += 1) {
    // Short texts come after long ones too, and a cut may leave a lone surrogate.
    const text = long.slice(0, length % 2 === 0 ? length : long.length - length);
    for (const key of keys)
      assert.equal(hexOf(hmacSha256(key, text)), createHmac("sha256", key).update(text).digest("hex"));
  }
});
