/** What the certificate of a client says of it, once it is known to chain to the client CA of the door. */
export interface ClientCertificate {
  /** Its subject alternative names (RFC 5280 section 4.2.1.6) that are URIs or DNS names: `URI:spiffe://…`, `DNS:…`. */
  readonly names: readonly string[];
  /** When it ends, in ms since the epoch; at this very moment it no longer holds. */
  readonly expiresAtMs: number;
}
