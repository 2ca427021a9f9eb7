export type ServiceAccountScope = "organization" | "project";
export type ServiceAccountStatus = "active" | "disabled";

/** An identity for a program. In the answer to a dry run `uid` and `etag` are empty. */
export interface ServiceAccount {
  readonly uid: string;
  readonly id: string;
  readonly displayName: string;
  readonly description: string | undefined;
  /** `{id}@{organization}.iam`. */
  readonly clientId: string;
  readonly scope: ServiceAccountScope;
  readonly scopeId: string;
  readonly roles: readonly string[];
  readonly status: ServiceAccountStatus;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Credentials that count against the limit. */
  readonly activeCredentialCount: number;
  readonly etag: string;
  /** Credentials that were created before are revoked; absent when the kill switch was never pulled. */
  readonly credentialsRevokedBefore: Date | undefined;
}

/** What a delete takes away. */
export interface ServiceAccountLoss {
  readonly lastUsedAt: Date | undefined;
  readonly activeCredentialCount: number;
}

/** Which accounts of an organization to list: all filters must fit. */
export interface ServiceAccountFilter {
  readonly scope: ServiceAccountScope | undefined;
  readonly scopeId: string | undefined;
  readonly status: ServiceAccountStatus | undefined;
}

/** The fields that an update changes; what is absent stays. A description that is null goes. */
export interface ServiceAccountChanges {
  readonly displayName?: string;
  readonly description?: string | null;
  readonly roles?: readonly string[];
  readonly status?: ServiceAccountStatus;
}
