/** Whose secret it is: the service account that it authenticates, as it stood at the moment of the check. */
export interface Principal {
  readonly organizationId: string;
  readonly serviceAccountId: string;
  readonly serviceAccountUid: string;
  readonly credentialId: string;
  readonly credentialUid: string;
  readonly scope: "organization" | "project";
  readonly scopeId: string;
  readonly roles: readonly string[];
  /** When the credential expires. */
  readonly expiresAt: Date;
  /** When this was read, by the database's clock. */
  readonly checkedAt: Date;
}

/** OAuth client id: unique over all organizations, as neither id has an `@`. */
export const clientIdOf = ({ serviceAccountId, organizationId }: Principal): string =>
  `${serviceAccountId}@${organizationId}.iam`;

/** Why a right secret is refused all the same. */
export type RefusedUseReason =
  | "expired"
  | "revoked"
  | "deleted"
  | "pending"
  | "service_account_disabled"
  | "organization_suspended"
  | "address_not_allowed";
