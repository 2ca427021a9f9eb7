import { Buffer } from "node:buffer";
import { type Attack, withSignature } from "./forge.ts";

const derOf = (signature: Buffer): Buffer => {
  const integer = (bytes: Buffer) => Buffer.from([2, bytes.length + 1, 0, ...bytes]);
  const pair = Buffer.concat([integer(signature.subarray(0, 32)), integer(signature.subarray(32))]);
  return Buffer.from([0x30, pair.length, ...pair]);
};

/** The first token with one part of the second. */
const splice = (token: string, other: string, at: number): string =>
  token
    .split(".")
    .with(at, other.split(".")[at] ?? "")
    .join(".");

export const signatureAttacks: readonly Attack[] = [
  ["signature empty", "malformed", withSignature(() => Buffer.alloc(0))],
  ["signature in DER", "signature", withSignature(derOf)],
  ["signature cut by a byte", "signature", withSignature((signature) => signature.subarray(0, 63))],
  ["signature cut in half", "signature", withSignature((signature) => signature.subarray(0, 32))],
  [
    "signature longer by a byte",
    "signature",
    withSignature((signature) => Buffer.concat([signature, Buffer.alloc(1)])),
  ],
  [
    "signature with a byte in front",
    "signature",
    withSignature((signature) => Buffer.concat([Buffer.alloc(1), signature])),
  ],
  ["signature of one byte", "signature", withSignature(() => Buffer.alloc(1))],
  ["signature r = s = 0", "signature", withSignature(() => Buffer.alloc(64))],
  ["signature all ones", "signature", withSignature(() => Buffer.alloc(64, 0xff))],
  [
    "signature r = s = n",
    "signature",
    withSignature(() =>
      Buffer.from("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551".repeat(2), "hex"),
    ),
  ],
  [
    "signature with r and s exchanged",
    "signature",
    withSignature((signature) => Buffer.concat([signature.subarray(32), signature.subarray(0, 32)])),
  ],
  [
    "signature with a bit changed",
    "signature",
    withSignature((signature) => signature.map((byte, at) => (at === 63 ? byte ^ 1 : byte))),
  ],
  ["signature of five thousand bytes", "signature", withSignature(() => Buffer.alloc(5_000, 1))],
  [
    "payload of another token",
    "signature",
    async ({ issuer }) => splice(await issuer.sign(), await issuer.sign({ claims: { sub: "admin" } }), 1),
  ],
  [
    "header of another token",
    "signature",
    async ({ issuer }) => splice(await issuer.sign(), await issuer.sign({ header: { typ: "JWT" } }), 0),
  ],
  [
    "signature of another token",
    "signature",
    async ({ issuer }) => splice(await issuer.sign(), await issuer.sign({ claims: { sub: "admin" } }), 2),
  ],
];
