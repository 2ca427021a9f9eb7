import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";

/** What TLS of a door is made of, in PEM. */
export interface TlsMaterial {
  /** The server's certificate and those between it and its root. */
  readonly cert: string;
  readonly key: string;
  /** The roots of clients' certificates. */
  readonly ca: string | undefined;
}

/** From when until when a certificate holds. */
export interface Validity {
  readonly startsAt: Date;
  readonly expiresAt: Date;
}

/**
 * @returns how long the server's certificate holds, whether or not it does now.
 * @throws when OpenSSL cannot use it with its key, or when not all of the certificates, its own or the roots of clients, can be read.
 */
export function assertUsable({ cert, key, ca }: TlsMaterial): Validity {
  createSecureContext({ cert, key, ...(ca === undefined ? {} : { ca }) });
  // It takes an empty text for one that was left out.
  createPrivateKey(key);
  // A key may stand beside the certificate; among roots nothing else means anything.
  const [own] = certificatesOf(blocksOf(cert).filter(({ label }) => CERTIFICATE.test(label)));
  if (ca !== undefined) certificatesOf(blocksOf(ca));
  if (own === undefined) throw new Error("no certificate");
  return { startsAt: own.validFromDate, expiresAt: own.validToDate };
}

/** Why a certificate does not hold at an instant, in ms since the epoch; undefined: it does. */
export function timeProblem(
  { startsAt, expiresAt }: Validity,
  now: number,
): "expired" | "not_yet_valid" | undefined {
  if (now >= expiresAt.getTime()) return "expired";
  return now < startsAt.getTime() ? "not_yet_valid" : undefined;
}

interface Block {
  readonly label: string;
  readonly text: string;
}

/** As OpenSSL names them. */
const CERTIFICATE = /^(X509 |TRUSTED )?CERTIFICATE$/;
const BEGIN = /^-----BEGIN /gm;
const BLOCK = /^-----BEGIN ([^-\r\n]+)-----[\s\S]*?-----END \1-----[ \t]*$/gm;

/** Node stops at the first block that it cannot read, and says nothing of what comes after (RFC 7468). */
function blocksOf(pem: string): Block[] {
  const blocks = [...pem.matchAll(BLOCK)].map(([text, label = ""]) => ({ label, text }));
  if (blocks.length !== (pem.match(BEGIN) ?? []).length) throw new Error("a block has no end");
  return blocks;
}

/** @throws when there is none. */
function certificatesOf(blocks: readonly Block[]): X509Certificate[] {
  if (blocks.length === 0 || !blocks.every(({ label }) => CERTIFICATE.test(label)))
    throw new Error("no certificate");
  return blocks.map(({ text }) => new X509Certificate(text));
}
