import assert from "node:assert/strict";
import { generateKeyPairSync, sign, verify } from "node:crypto";
import { test } from "node:test";
import { JWS_SIGNATURE_BYTES, toDerSignature, toJwsSignature } from "../../src/auth/ecdsa-form.ts";

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const DSA_ENCODING = "ieee-p1363";
/** Enough for numbers with leading zeros and with a high first bit, in either place. */
const SIGNATURES = 2_000;

test("a signature in the form of JWS is the one that OpenSSL reads there, and the way back gives the same bytes", () => {
  const lengths = new Set<number>();
  for (let index = 0; index < SIGNATURES; index += 1) {
    const signed = Buffer.from(`signed ${index}`);
    const der = sign("sha256", signed, privateKey);
    lengths.add(der.length);
    const signature = toJwsSignature(der);
    assert.equal(signature.length, JWS_SIGNATURE_BYTES);
    assert.ok(verify("sha256", signed, { key: publicKey, dsaEncoding: DSA_ENCODING }, signature));
    assert.deepEqual(toDerSignature(signature), der);
  }
  assert.ok(lengths.size >= 3, "signatures of several lengths");
});

test("numbers that no signature has are written as DER all the same, and verify nothing", () => {
  for (const byte of [0x00, 0x01, 0x7f, 0x80, 0xff]) {
    const signature = Buffer.alloc(JWS_SIGNATURE_BYTES, byte);
    assert.equal(verify("sha256", Buffer.from("signed"), publicKey, toDerSignature(signature)), false);
  }
  assert.equal(toDerSignature(Buffer.alloc(JWS_SIGNATURE_BYTES)).toString("hex"), "3006020100020100");
});
