/** What the model knows: an organization, its accounts and their credentials. Values never change, so that any can be kept. */

/** Instants are milliseconds since 1970, by the clock of the database. */
export interface CredentialState {
  readonly id: string;
  readonly uid: string;
  readonly createdBy: string;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly notBefore: number | undefined;
  readonly displayName: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly hint: string;
  readonly lastUsedAt: number | undefined;
}

export interface AccountState {
  readonly id: string;
  readonly uid: string;
  readonly displayName: string;
  readonly description: string | undefined;
  readonly roles: readonly string[];
  readonly status: "active" | "disabled";
  readonly createdBy: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly revision: number;
  /** Of the account's own kill switch. */
  readonly revokedBefore: number | undefined;
  /** In the order of their creation. */
  readonly credentials: readonly CredentialState[];
  /** How many were deleted: their rows stay behind. */
  readonly tombstones: number;
}

export interface PolicyValues {
  readonly defaultLifetime?: number | undefined;
  readonly minLifetime?: number | undefined;
  readonly maxLifetime?: number | undefined;
  readonly maxActiveCredentials?: number | undefined;
  readonly creation?: "allowed" | "denied" | undefined;
}

export interface OrganizationState {
  /** What it has set itself. */
  readonly policy: PolicyValues;
  readonly policyRevision: number;
  readonly policyUpdatedAt: number | undefined;
  /** Of the kill switch for all accounts. */
  readonly revokedBefore: number | undefined;
  /** What holds instead for the accounts that were exempt the last time, by their uids. */
  readonly exemptions: ReadonlyMap<string, number | undefined>;
}

export const NEW_ORGANIZATION: OrganizationState = {
  policy: {},
  policyRevision: 0,
  policyUpdatedAt: undefined,
  revokedBefore: undefined,
  exemptions: new Map(),
};

/** The server's own policy; the bounds of every organization's. Lifetimes in seconds. */
export const BOUNDS = {
  defaultLifetime: 90 * 86_400,
  minLifetime: 60,
  maxLifetime: 365 * 86_400,
  maxActiveCredentials: 5,
} as const;

/** The policy that holds. A default outside the organization's own bounds gives way to them. */
export function effectivePolicy({ policy }: OrganizationState) {
  const minLifetime = Math.max(policy.minLifetime ?? 0, BOUNDS.minLifetime);
  const maxLifetime = Math.min(policy.maxLifetime ?? Infinity, BOUNDS.maxLifetime);
  const wanted = policy.defaultLifetime ?? BOUNDS.defaultLifetime;
  return {
    minLifetime,
    maxLifetime,
    defaultLifetime: Math.min(Math.max(wanted, minLifetime), maxLifetime),
    maxActiveCredentials: Math.min(policy.maxActiveCredentials ?? Infinity, BOUNDS.maxActiveCredentials),
    creation: policy.creation ?? "allowed",
  };
}

/** The later of instants that may be absent. */
export function latest(...instants: (number | undefined)[]): number | undefined {
  const present = instants.filter((instant) => instant !== undefined);
  return present.length === 0 ? undefined : Math.max(...present);
}

/** Credentials that were created before this instant are revoked. */
export function revokedBefore(account: AccountState, organization: OrganizationState): number | undefined {
  const ofAll = organization.exemptions.has(account.uid)
    ? organization.exemptions.get(account.uid)
    : organization.revokedBefore;
  return latest(account.revokedBefore, ofAll);
}

export type CredentialWord = "active" | "pending" | "expired" | "revoked";

export function statusOf(
  credential: CredentialState,
  account: AccountState,
  organization: OrganizationState,
  now: number,
): CredentialWord {
  if (credential.createdAt < (revokedBefore(account, organization) ?? -Infinity)) return "revoked";
  if (credential.expiresAt <= now) return "expired";
  return (credential.notBefore ?? now) > now ? "pending" : "active";
}

/** Those that count against the limit. */
export const liveOf = (
  account: AccountState,
  organization: OrganizationState,
  now: number,
): CredentialState[] =>
  account.credentials.filter((credential) =>
    ["active", "pending"].includes(statusOf(credential, account, organization, now)),
  );
