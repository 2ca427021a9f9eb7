/** A credential as it can be read again and again: no secret, no hash. Instants have milliseconds. */
export interface Credential {
  readonly uid: string;
  readonly id: string;
  readonly organizationId: string;
  readonly serviceAccountId: string;
  readonly status: "active" | "expired";
  readonly expiresAt: Date;
  /** Subject of the caller who created it. */
  readonly createdBy: string;
  readonly createdAt: Date;
}

/** A credential at the one moment when its secret is known. */
export interface IssuedCredential {
  readonly credential: Credential;
  readonly clientSecret: string;
}
