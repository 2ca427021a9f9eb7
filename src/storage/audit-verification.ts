import { ORGANIZATION_CHAIN, REFUSED_CALLS_CHAIN } from "../domain/audit-event.ts";
import {
  type AuditScope,
  accounts,
  type ChainOwner,
  chainedRows,
  heads,
  PAGE_TIMEOUT_MS,
} from "./audit-pages.ts";
import { type AuditFinding, createChainCheck } from "./chain-check.ts";
import type { Database } from "./database.ts";

export interface AuditVerification {
  readonly rows: number;
  readonly chains: number;
  readonly findings: number;
}

export interface AuditWatch {
  readonly onFinding: (finding: AuditFinding) => void;
  /** Told after each page how many rows were read so far. */
  readonly onRows?: (rows: number) => void;
}

/**
 * Computes every chain again and compares it with what is stored (docs/adr/0012). It may run beside writers: each page
 * has rows and heads of one moment, and a chain is compared with its head of the moment in which its last row was read.
 * @throws FaultError unavailable, cancelled (a page took too long), internal.
 */
export async function verifyAuditTrail(
  db: Database,
  scope: AuditScope,
  watch: AuditWatch,
): Promise<AuditVerification> {
  const check = createChainCheck();
  let rows = 0;
  let findings = 0;
  const tell = (found: readonly AuditFinding[]) => {
    findings += found.length;
    found.forEach(watch.onFinding);
  };
  for await (const page of chainedRows(db, scope)) {
    for (const row of page) tell(check.next(row));
    rows += page.length;
    watch.onRows?.(rows);
  }
  tell(check.end());
  for await (const page of heads(db, scope)) tell(lossesOf(page, "chain_emptied"));
  for await (const page of accounts(db, scope)) tell(lossesOf(page, "chain_missing"));
  return { rows, chains: check.chains(), findings };
}

const lossesOf = (owners: readonly ChainOwner[], kind: "chain_emptied" | "chain_missing"): AuditFinding[] =>
  owners.filter(({ isLost }) => isLost).map((owner) => ({ ...owner, problem: { kind } }));

/**
 * UUIDs of the chains of a service account by its id, which several accounts may have had one after the other, or by the
 * UUID of one of them.
 */
export async function chainsOfServiceAccount(
  db: Database,
  organizationId: string,
  idOrUid: string,
): Promise<string[]> {
  const rows = await db.run<{ uid: string }>(
    AbortSignal.timeout(PAGE_TIMEOUT_MS),
    (sql) => sql`
      select uid from keyturn.service_accounts
       where organization_id = ${organizationId} and (id = ${idOrUid} or uid::text = ${idOrUid})
       union
      select service_account_uid from keyturn.audit_events
       where organization_id = ${organizationId} and service_account_id = ${idOrUid}
         and service_account_uid not in (${ORGANIZATION_CHAIN}, ${REFUSED_CALLS_CHAIN})
       union
      select service_account_uid from keyturn.audit_chains
       where organization_id = ${organizationId} and service_account_uid::text = ${idOrUid}
       order by 1`,
  );
  return rows.map(({ uid }) => uid);
}
