import type { PeerCertificate, TLSSocket } from "node:tls";
import type { ClientCertificate } from "../domain/client-certificate.ts";

/** The certificate that the client of a connection has shown; undefined without one that chains to the client CA. */
export function clientCertificateOf(socket: unknown): ClientCertificate | undefined {
  const { authorized, getPeerCertificate } = socket as Partial<TLSSocket>;
  if (authorized !== true || getPeerCertificate === undefined) return undefined;
  return readClientCertificate((socket as TLSSocket).getPeerCertificate());
}

/** @param peer a certificate that was verified, or what Node gives in the place of none. */
export function readClientCertificate(peer: PeerCertificate | undefined): ClientCertificate | undefined {
  if (peer?.raw === undefined) return undefined;
  return { names: namesOf(peer.subjectaltname ?? ""), expiresAtMs: Date.parse(peer.valid_to) };
}

/** One name of a list: bare, or a JSON string where the name has a comma, a quote or worse in it. */
const NAME = /(URI|DNS|[A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/y;

/**
 * Node writes the names as one text, `DNS:a.example, URI:spiffe://a/b`, and quotes those that could be taken for several.
 * Such a one is left out: nobody maps it. A text of another form has no names at all.
 */
function namesOf(text: string): string[] {
  const names: string[] = [];
  for (NAME.lastIndex = 0; NAME.lastIndex < text.length; ) {
    const [, kind, name = ""] = NAME.exec(text) ?? [];
    if (kind === undefined) return [];
    if (!name.startsWith('"') && kind === "URI") names.push(`URI:${name}`);
    if (!name.startsWith('"') && kind === "DNS") names.push(`DNS:${name.toLowerCase()}`);
  }
  return names;
}
