import type { RefusedUseReason } from "./principal.ts";

/** Whether a secret holds, by the database's clock at the moment of reading. */
export type CredentialStatus = "active" | "pending" | "expired" | "revoked";

/**
 * A credential as it can be read again and again: no secret, no hash. Instants have milliseconds. In the answer to a dry
 * run what only a real one gets is empty: `uid`, `id`, `hint`, `etag`.
 */
export interface Credential {
  readonly uid: string;
  readonly id: string;
  readonly serviceAccountId: string;
  readonly status: CredentialStatus;
  readonly expiresAt: Date;
  /** Subject of the caller who created it. */
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly lastUsedAt: Date | undefined;
  readonly lastUsedIp: string | undefined;
  readonly displayName: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** Absent when the secret was accepted from the start. */
  readonly notBefore: Date | undefined;
  /** Last four characters of the secret. */
  readonly hint: string;
  /** Changes with the credential, other than by its use. */
  readonly etag: string;
  /** Ranges from which the secret is accepted, in CIDR notation; none for everywhere. */
  readonly allowedCidrs: readonly string[];
  readonly lastUsedUserAgent: string | undefined;
  /** Absent until the first use. */
  readonly useCount: number | undefined;
}

/** The last time that the right secret of a credential was refused. */
export interface RefusedUse {
  readonly credentialId: string;
  readonly hint: string;
  readonly displayName: string | undefined;
  readonly lastRefusedAt: Date;
  readonly reason: RefusedUseReason;
  readonly ip: string | undefined;
  readonly userAgent: string | undefined;
  readonly count: number;
}

/** A credential at the one moment when its secret is known. */
export interface IssuedCredential {
  readonly credential: Credential;
  /** Absent in a dry run, and in the answer to a repetition that came too late. */
  readonly clientSecret: string | undefined;
  /** The one whose place it takes, as it is now; absent for a create, and once that one was deleted. */
  readonly replaced: Credential | undefined;
}

/** What a delete takes away. */
export interface CredentialLoss {
  readonly lastUsedAt: Date | undefined;
  readonly remainingActiveCount: number;
  /** Nothing of the service account's is active or pending afterwards. */
  readonly isLastActive: boolean;
}

/** What the kill switch ends. */
export interface Revocation {
  /** Credentials that were created before this instant are revoked. */
  readonly revokedBefore: Date;
  /** Absent in an organization that has too many to count. */
  readonly revokedCredentialCount: number | undefined;
}

/** Which credentials of an account to list: all filters must fit. */
export interface CredentialFilter {
  readonly status: CredentialStatus | undefined;
  readonly expiringBefore: Date | undefined;
  /** Existed then, and has not been used from then on. */
  readonly unusedSince: Date | undefined;
  readonly neverUsed: boolean;
}
