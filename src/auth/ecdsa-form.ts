/**
 * The two forms of an ECDSA signature with P-256. JWS has r and s side by side, 32 bytes each (RFC 7518 section 3.4);
 * OpenSSL computes an `Ecdsa-Sig-Value` in DER (RFC 3279 section 2.2.3) and takes as long to rewrite that itself as it
 * takes to sign.
 */

const INTEGER_BYTES = 32;
export const JWS_SIGNATURE_BYTES = 2 * INTEGER_BYTES;
const SEQUENCE = 0x30;
const INTEGER = 0x02;

/** @param der what OpenSSL has just written, so nothing of it is doubted. */
export function toJwsSignature(der: Uint8Array): Buffer {
  const signature = Buffer.alloc(JWS_SIGNATURE_BYTES);
  const rEnd = 4 + (der[3] ?? 0);
  const sStart = rEnd + 2;
  for (const [start, end, placeEnd] of [
    [4, rEnd, INTEGER_BYTES],
    [sStart, sStart + (der[rEnd + 1] ?? 0), JWS_SIGNATURE_BYTES],
  ] as const) {
    // A zero in front says that the number is positive; zeros that DER leaves out are there already.
    const digits = der.subarray(Math.max(start, end - INTEGER_BYTES), end);
    signature.set(digits, placeEnd - digits.length);
  }
  return signature;
}

/** @param signature of 64 bytes. */
export function toDerSignature(signature: Uint8Array): Buffer {
  const r = derInteger(signature.subarray(0, INTEGER_BYTES));
  const s = derInteger(signature.subarray(INTEGER_BYTES));
  return Buffer.from([SEQUENCE, r.length + s.length, ...r, ...s]);
}

function derInteger(bytes: Uint8Array): number[] {
  let start = 0;
  while (start < INTEGER_BYTES - 1 && bytes[start] === 0) start += 1;
  const digits = [...bytes.subarray(start)];
  if ((digits[0] ?? 0) >= 0x80) digits.unshift(0);
  return [INTEGER, digits.length, ...digits];
}
