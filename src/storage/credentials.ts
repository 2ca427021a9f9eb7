import type { CallContext } from "../domain/call-context.ts";
import type {
  Credential,
  CredentialFilter,
  CredentialLoss,
  RefusedUse,
  Revocation,
} from "../domain/credential.ts";
import { credentialNotFound, serviceAccountNotFound } from "../domain/fault.ts";
import type { Page, PageRequest } from "../domain/page.ts";
import type { CredentialPolicy } from "../domain/policy.ts";
import { runOfCall } from "./call-statement.ts";
import {
  boundsRow,
  claimRow,
  type NewCredential,
  newCredentialRow,
  type StoredIssue,
} from "./credential-arguments.ts";
import { optionalInstant, toCredential } from "./credential-facts.ts";
import { listCredentials } from "./credential-list.ts";
import type { Database } from "./database.ts";
import type { Sql } from "./lane.ts";
import { mutate, type Outcome } from "./mutation.ts";
import type { Facts } from "./refusal.ts";
import { listRefusedUses } from "./refused-use-list.ts";

export interface CredentialReplacement extends NewCredential {
  /** The credential whose place the new one takes. */
  readonly replacedId: string;
  readonly etag: string | undefined;
  /** Milliseconds for which the old one still holds. */
  readonly gracePeriodMs: number;
}

/** Names one credential, and what the caller last read of it. */
export interface CredentialDeletion {
  readonly serviceAccountId: string;
  readonly id: string;
  readonly etag: string | undefined;
  readonly validateOnly: boolean;
}

/** Statements about credentials. Each is one statement, and so one round trip (docs/adr/0003). */
export interface Credentials {
  create(ctx: CallContext, wanted: NewCredential): Promise<Outcome<StoredIssue>>;
  rotate(ctx: CallContext, wanted: CredentialReplacement): Promise<Outcome<StoredIssue>>;
  delete(ctx: CallContext, doomed: CredentialDeletion): Promise<Outcome<CredentialLoss>>;
  revokeOfServiceAccount(
    ctx: CallContext,
    serviceAccountId: string,
    validateOnly: boolean,
  ): Promise<Outcome<Revocation>>;
  revokeOfOrganization(
    ctx: CallContext,
    exemptServiceAccountIds: readonly string[],
    validateOnly: boolean,
  ): Promise<Outcome<Revocation>>;
  /** @throws FaultError not_found */
  get(ctx: CallContext, serviceAccountId: string, id: string): Promise<Credential>;
  /** By the credentials' ids. @throws FaultError not_found */
  listRefusedUses(ctx: CallContext, serviceAccountId: string, page: PageRequest): Promise<Page<RefusedUse>>;
  /** In the order of their creation. Positions are of the account itself, not of its id. @throws FaultError not_found */
  list(
    ctx: CallContext,
    serviceAccountId: string,
    filter: CredentialFilter,
    page: PageRequest,
  ): Promise<Page<Credential>>;
}

export function openCredentials(db: Database, policy: CredentialPolicy): Credentials {
  const bounds = (sql: Sql) => boundsRow(sql, policy);
  return {
    create: (ctx, wanted) =>
      mutate(
        db,
        { ctx, ...wanted },
        (sql, caller) => sql`keyturn.create_credential(
          ${caller}, ${bounds(sql)}, ${wanted.serviceAccountId}, ${newCredentialRow(sql, wanted)}, ${claimRow(sql, wanted.claim)})`,
        toStoredIssue,
      ),
    rotate: (ctx, wanted) =>
      mutate(
        db,
        { ctx, ...wanted },
        (sql, caller) => sql`keyturn.rotate_credential(
          ${caller}, ${bounds(sql)}, ${wanted.serviceAccountId}, ${wanted.replacedId}, ${wanted.etag ?? null},
          ${`${wanted.gracePeriodMs} milliseconds`}, ${newCredentialRow(sql, wanted)}, ${claimRow(sql, wanted.claim)})`,
        toStoredIssue,
      ),
    delete: (ctx, doomed) =>
      mutate(
        db,
        { ctx, ...doomed },
        (sql, caller) => sql`keyturn.delete_credential(
          ${caller}, ${doomed.serviceAccountId}, ${doomed.id}, ${doomed.etag ?? null})`,
        toLoss,
      ),
    revokeOfServiceAccount: (ctx, serviceAccountId, validateOnly) =>
      mutate(
        db,
        { ctx, serviceAccountId, validateOnly },
        (sql, caller) => sql`keyturn.revoke_service_account_credentials(${caller}, ${serviceAccountId})`,
        toRevocation,
      ),
    revokeOfOrganization: (ctx, exemptServiceAccountIds, validateOnly) =>
      mutate(
        db,
        { ctx, validateOnly },
        (sql, caller) =>
          sql`keyturn.revoke_organization_credentials(${caller}, ${[...exemptServiceAccountIds]})`,
        toRevocation,
      ),
    async get(ctx, serviceAccountId, id) {
      const [row] = await runOfCall<{ account_id: string; item: Facts | null }>(
        db,
        ctx.signal,
        (sql) => sql`
          select a.id as account_id, to_jsonb(s) as item
            from keyturn.service_accounts a
            left join lateral keyturn.credential_states(a.organization_id, a.id, statement_timestamp()) s on s.id = ${id}
           where a.organization_id = ${ctx.caller.organizationId} and a.id = ${serviceAccountId}`,
      );
      if (row === undefined) throw serviceAccountNotFound(serviceAccountId);
      if (row.item === null) throw credentialNotFound(id);
      return toCredential(row.item);
    },
    listRefusedUses: (ctx, serviceAccountId, page) => listRefusedUses(db, ctx, serviceAccountId, page),
    list: (ctx, serviceAccountId, filter, page) => listCredentials(db, ctx, serviceAccountId, filter, page),
  };
}

function toStoredIssue(facts: Facts): StoredIssue {
  const { credential, replaced, sealed_secret: sealedSecret } = facts;
  return {
    credential: toCredential(credential),
    replaced: replaced?.id === undefined || replaced.id === null ? undefined : toCredential(replaced),
    sealedSecret: typeof sealedSecret === "string" ? Buffer.from(sealedSecret, "base64") : undefined,
  };
}

const toLoss = (facts: Facts): CredentialLoss => ({
  lastUsedAt: optionalInstant(facts["last_used_at"]),
  remainingActiveCount: facts["remaining_active_count"],
  isLastActive: facts["last_active"],
});

const toRevocation = (facts: Facts): Revocation => ({
  revokedBefore: new Date(facts["revoked_before"]),
  revokedCredentialCount: facts["revoked_credential_count"] ?? undefined,
});
