/** Who calls, as its verified token says. Nothing in it comes from a path, a body or another header. */
export interface Caller {
  /** The `iss` claim: one of the configured issuers, character for character. */
  readonly issuer: string;
  /** The `sub` claim: 1 to 255 characters without control characters, unique within the issuer only. */
  readonly subject: string;
  /** The tenant. Every query is bound to it. */
  readonly organizationId: string;
  /** At most 100 words of at most 128 characters; empty when the token names none. */
  readonly roles: readonly string[];
  /** When the token ends, in ms since the epoch; at this very moment it no longer holds. */
  readonly expiresAtMs: number;
}
