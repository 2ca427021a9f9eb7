import type { IssuedCredential } from "../domain/credential.ts";
import type { CredentialPolicy } from "../domain/policy.ts";
import type { Sql } from "./lane.ts";
import type { Fragment } from "./mutation.ts";

/** What a new credential is made of. Of a dry run's there is no id and no secret. */
export interface NewCredential {
  readonly serviceAccountId: string;
  readonly stored: StoredSecret | undefined;
  /** Absent: the default lifetime of the organization. */
  readonly expiresAt: Date | undefined;
  readonly notBefore?: Date | undefined;
  readonly displayName?: string | undefined;
  readonly labels?: Readonly<Record<string, string>>;
  readonly allowedCidrs?: readonly string[];
  /** Absent when the call may not be repeated. */
  readonly claim: ReplayClaim | undefined;
  readonly validateOnly: boolean;
}

interface StoredSecret {
  readonly credentialId: string;
  readonly secretHash: string;
  readonly hint: string;
}

/** By what a repeatable request is known again, and the secret that its answer carries, sealed. */
export interface ReplayClaim {
  readonly requestHash: Buffer;
  readonly bodyHash: Buffer;
  readonly sealedSecret: Buffer;
}

/** A credential that was written, or had been written before, and then its sealed secret while that is still shown. */
export interface StoredIssue extends Omit<IssuedCredential, "clientSecret"> {
  readonly sealedSecret: Buffer | undefined;
}

/** The server's bounds as the functions take them. */
export const boundsRow = (sql: Sql, policy: CredentialPolicy): Fragment => sql`row(
  ${policy.defaultLifetimeSeconds}, ${policy.minLifetimeSeconds}, ${policy.maxLifetimeSeconds},
  ${policy.activeCredentialsMax})::keyturn.policy_bounds`;

export const newCredentialRow = (sql: Sql, { stored, ...wanted }: NewCredential): Fragment => sql`row(
  ${stored?.credentialId ?? null}, ${stored?.secretHash ?? null}, ${stored?.hint ?? null},
  ${wanted.expiresAt ?? null}, ${wanted.notBefore ?? null}, ${wanted.displayName ?? null},
  ${wanted.labels === undefined ? null : sql.json(wanted.labels)},
  ${wanted.allowedCidrs === undefined ? null : `{${wanted.allowedCidrs.join(",")}}`})::keyturn.new_credential`;

export const claimRow = (sql: Sql, claim: ReplayClaim | undefined): Fragment => sql`row(
  ${claim?.requestHash ?? null}, ${claim?.bodyHash ?? null}, ${claim?.sealedSecret ?? null})::keyturn.replay_claim`;
