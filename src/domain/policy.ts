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
