import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { der, ECDSA_WITH_SHA256, sequence, utcTime } from "./der.ts";

/** An X.509 authority of a test's own, and certificates of servers and clients that it signs (RFC 5280, P-256, PEM). */
export interface Authority {
  readonly cert: string;
  issue(options?: LeafOptions): Leaf;
}

export interface Leaf {
  readonly key: string;
  readonly cert: string;
}

export interface LeafOptions {
  /** Such as `URI:spiffe://a/b` or `DNS:localhost`, put in as they are. Default: 127.0.0.1 and localhost. */
  readonly names?: readonly string[];
  /** When it ends, in ms since the epoch. Default: tomorrow. */
  readonly expiresAtMs?: number;
}

const DAY_MS = 86_400_000;

export function givenAuthority(commonName = "test authority"): Authority {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const issuer = nameOf(commonName);
  const certify = (subject: Buffer, key: KeyObject, endMs: number, extensions: Buffer[]) =>
    certificate({ issuer, subject, key, endMs, extensions }, privateKey);
  return {
    cert: certify(issuer, publicKey, Date.now() + DAY_MS, [IS_AUTHORITY]),
    issue({ names = ["IP:127.0.0.1", "DNS:localhost"], expiresAtMs = Date.now() + DAY_MS } = {}) {
      const leaf = generateKeyPairSync("ec", { namedCurve: "P-256" });
      return {
        key: leaf.privateKey.export({ type: "pkcs8", format: "pem" }) as string,
        cert: certify(nameOf("leaf"), leaf.publicKey, expiresAtMs, [alternativeNames(names)]),
      };
    },
  };
}

interface Certified {
  readonly issuer: Buffer;
  readonly subject: Buffer;
  readonly key: KeyObject;
  readonly endMs: number;
  readonly extensions: readonly Buffer[];
}

function certificate({ issuer, subject, key, endMs, extensions }: Certified, signingKey: KeyObject): string {
  const toBeSigned = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ECDSA_WITH_SHA256,
    issuer,
    sequence(utcTime(Date.now() - 2 * DAY_MS), utcTime(endMs)),
    subject,
    key.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = Buffer.concat([Buffer.from([0]), sign("sha256", toBeSigned, signingKey)]);
  const bytes = sequence(toBeSigned, ECDSA_WITH_SHA256, der(0x03, signature));
  const lines = bytes.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

const octets = (content: Buffer): Buffer => der(0x04, content);
/** Common name, 2.5.4.3. */
const nameOf = (text: string): Buffer =>
  sequence(der(0x31, sequence(der(0x06, Buffer.from([0x55, 0x04, 0x03])), der(0x0c, Buffer.from(text)))));

/** Basic constraints, 2.5.29.19, critical. */
const IS_AUTHORITY = sequence(
  der(0x06, Buffer.from([0x55, 0x1d, 0x13])),
  der(0x01, Buffer.from([0xff])),
  octets(sequence(der(0x01, Buffer.from([0xff])))),
);

/** Subject alternative name, 2.5.29.17. */
function alternativeNames(names: readonly string[]): Buffer {
  const parts = names.map((name) => {
    const [, kind, text = ""] = /^([A-Z]+):(.*)$/s.exec(name) ?? [];
    if (kind === "IP") return der(0x87, Buffer.from(text.split(".").map(Number)));
    return der(kind === "URI" ? 0x86 : 0x82, Buffer.from(text));
  });
  return sequence(der(0x06, Buffer.from([0x55, 0x1d, 0x11])), octets(sequence(...parts)));
}
