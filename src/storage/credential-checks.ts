import type { Principal, RefusedUseReason } from "../domain/principal.ts";
import type { Ask } from "../domain/shared-reads.ts";
import type { Database } from "./database.ts";
import { shareStatement } from "./shared-statement.ts";

/** Which credential a secret names, and where it was presented. */
export interface CheckQuestion {
  readonly credentialId: string;
  readonly address: string | undefined;
}

/** What the database knows of that credential at this moment. */
export interface CheckedCredential {
  readonly principal: Principal;
  readonly secretHash: string;
  /** Why the right secret must be refused, if it must. */
  readonly refusal: RefusedUseReason | undefined;
}

/** Undefined for a credential that nobody knows. */
export type CheckCredential = Ask<CheckQuestion, CheckedCredential | undefined>;

interface CheckRow {
  readonly place: string;
  readonly organization_id: string;
  readonly service_account_id: string;
  readonly service_account_uid: string;
  readonly credential_uid: string;
  readonly secret_hash: string;
  readonly expires_at: Date;
  readonly scope: Principal["scope"];
  readonly scope_id: string;
  readonly roles: string;
  readonly refusal: RefusedUseReason | null;
  readonly checked_at: Date;
}

/**
 * Hash and live state of credentials, by the database's clock, for whoever waits at the same moment in one statement. Each
 * check reads anew: nothing that was read is ever kept.
 */
export function openCredentialChecks(db: Database): CheckCredential {
  return shareStatement(db, "credential_checks", async (questions: readonly CheckQuestion[], signal) => {
    const ids = questions.map(({ credentialId }) => credentialId);
    const addresses = questions.map(({ address }) => address ?? "");
    const rows = await db.run<CheckRow>(
      signal,
      (sql) => sql`
      select place, organization_id, service_account_id, service_account_uid, credential_uid, secret_hash, expires_at,
             scope, scope_id, roles, refusal, checked_at
        from keyturn.credential_checks(${ids}, ${addresses})`,
    );
    const answers: (CheckedCredential | undefined)[] = questions.map(() => undefined);
    for (const row of rows) {
      const place = Number(row.place) - 1;
      answers[place] = toChecked(row, ids[place] ?? "");
    }
    return answers;
  });
}

function toChecked(row: CheckRow, credentialId: string): CheckedCredential {
  return {
    principal: {
      organizationId: row.organization_id,
      serviceAccountId: row.service_account_id,
      serviceAccountUid: row.service_account_uid,
      credentialId,
      credentialUid: row.credential_uid,
      scope: row.scope,
      scopeId: row.scope_id,
      roles: JSON.parse(row.roles),
      expiresAt: row.expires_at,
      checkedAt: row.checked_at,
    },
    secretHash: row.secret_hash,
    refusal: row.refusal ?? undefined,
  };
}
