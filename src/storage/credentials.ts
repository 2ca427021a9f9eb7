import type { Caller } from "../domain/caller.ts";
import type { Credential } from "../domain/credential.ts";
import { type ExpiryFault, FaultError } from "../domain/fault.ts";
import type { CredentialPolicy } from "../domain/policy.ts";
import type { Database } from "./database.ts";

export interface CreateCredentialStatement {
  readonly caller: Caller;
  readonly serviceAccountId: string;
  readonly credentialId: string;
  readonly secretHash: string;
  readonly hint: string;
  /** Absent: the default lifetime of the organization. */
  readonly expiresAt: Date | undefined;
  readonly clientAddress: string | undefined;
  readonly requestId: string;
  /** Milliseconds from now within which the statement may still write. */
  readonly budgetMs: number;
}

export type CreateCredentialOutcome =
  | { readonly kind: "created"; readonly credential: Credential }
  | { readonly kind: "account_unknown" }
  /** The lock was too long in coming, and nothing was written for a caller who has gone. */
  | { readonly kind: "deadline_exceeded" }
  | ExpiryFault
  | {
      readonly kind: "limit_reached";
      readonly limit: number;
      readonly activeCount: number;
      readonly safestToDelete: string;
    };

interface CreateCredentialRow {
  readonly outcome: CreateCredentialOutcome["kind"];
  readonly uid: string;
  readonly created_at: Date;
  readonly expires_at: Date;
  readonly bound: Date;
  readonly bound_seconds: number;
  readonly active_max: number;
  readonly active_count: number;
  readonly safest_to_delete: string;
}

/** Statements about credentials. Each is one call of one function, and so one round trip (docs/adr/0003). */
export interface Credentials {
  create(statement: CreateCredentialStatement, signal: AbortSignal): Promise<CreateCredentialOutcome>;
}

export function openCredentials(db: Database, policy: CredentialPolicy): Credentials {
  return {
    async create(statement, signal) {
      const { caller } = statement;
      // The statement is composed once it has a connection, which takes time off its budget.
      const writeUntil = performance.now() + statement.budgetMs;
      const [row] = await db.run<CreateCredentialRow>(
        signal,
        (sql) => sql`
          select outcome, uid, created_at, expires_at, bound, bound_seconds, active_max, active_count, safest_to_delete
            from keyturn.create_credential(
              ${caller.organizationId}, ${statement.serviceAccountId},
              ${statement.credentialId}, ${statement.secretHash}, ${statement.hint}, ${statement.expiresAt ?? null},
              ${policy.defaultLifetimeSeconds}, ${policy.minLifetimeSeconds}, ${policy.maxLifetimeSeconds},
              ${policy.activeCredentialsMax},
              ${caller.issuer}, ${caller.subject}, ${statement.clientAddress ?? null}, ${statement.requestId},
              ${Math.max(0, Math.floor(writeUntil - performance.now()))})`,
        `${caller.organizationId}/${statement.serviceAccountId}`,
      );
      if (row === undefined) throw new FaultError({ kind: "internal" });
      return toOutcome(row, statement);
    },
  };
}

function toOutcome(row: CreateCredentialRow, statement: CreateCredentialStatement): CreateCredentialOutcome {
  switch (row.outcome) {
    case "created":
      return { kind: "created", credential: toCredential(row, statement) };
    case "account_unknown":
    case "deadline_exceeded":
      return { kind: row.outcome };
    case "expiry_in_past":
    case "expiry_below_minimum":
    case "expiry_above_maximum":
      return { kind: row.outcome, bound: row.bound, boundSeconds: row.bound_seconds };
    case "limit_reached":
      return {
        kind: "limit_reached",
        limit: row.active_max,
        activeCount: row.active_count,
        safestToDelete: row.safest_to_delete,
      };
  }
}

function toCredential(row: CreateCredentialRow, statement: CreateCredentialStatement): Credential {
  return {
    uid: row.uid,
    id: statement.credentialId,
    organizationId: statement.caller.organizationId,
    serviceAccountId: statement.serviceAccountId,
    status: "active",
    expiresAt: row.expires_at,
    createdBy: statement.caller.subject,
    createdAt: row.created_at,
  };
}
