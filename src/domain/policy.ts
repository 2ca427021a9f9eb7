/**
 * The server's own credential policy. An organization may be stricter, never laxer: the maxima are ceilings and the
 * minimum a floor for whatever the organization sets.
 */
export interface CredentialPolicy {
  /** Seconds that a credential lives when its creator names no end. */
  readonly defaultLifetimeSeconds: number;
  readonly minLifetimeSeconds: number;
  readonly maxLifetimeSeconds: number;
  /** Credentials of one service account that may be active at the same time. */
  readonly activeCredentialsMax: number;
}

export const DEFAULT_POLICY: CredentialPolicy = {
  defaultLifetimeSeconds: 90 * 86_400,
  minLifetimeSeconds: 60,
  maxLifetimeSeconds: 365 * 86_400,
  activeCredentialsMax: 5,
};

/** The policy that holds for an organization. */
export interface OrganizationPolicy extends CredentialPolicy {
  readonly creation: "allowed" | "denied";
  /** Absent when it was never changed. */
  readonly updatedAt: Date | undefined;
  /** Empty in a dry run. */
  readonly etag: string;
}

/** The fields that an update changes; what is absent stays, and null takes the server's own value again. */
export interface PolicyChanges {
  readonly defaultLifetimeSeconds?: number | null;
  readonly minLifetimeSeconds?: number | null;
  readonly maxLifetimeSeconds?: number | null;
  readonly activeCredentialsMax?: number | null;
  readonly creation?: "allowed" | "denied" | null;
}

/** A live credential that a policy would not have allowed. */
export interface PolicyViolation {
  readonly serviceAccountId: string;
  readonly credentialId: string;
  readonly rule: "max_lifetime" | "min_lifetime" | "max_active_credentials";
  readonly expiresAt: Date;
}

/** What an update makes of the policy, and in a dry run whom it would have hit. */
export interface PolicyUpdate {
  readonly policy: OrganizationPolicy;
  readonly violations: readonly PolicyViolation[];
  /** How many there are in all; absent unless it was a dry run. */
  readonly violationCount: number | undefined;
}
