import { createHash } from "node:crypto";
import type postgres from "postgres";

/** A row of the audit trail as an auditor reads it. */
export interface AuditRow {
  readonly organization_id: string;
  readonly service_account_uid: string;
  readonly sequence: string;
  readonly occurred_at: Date;
  readonly action: string;
  readonly outcome: string;
  readonly service_account_id: string | null;
  readonly credential_id: string | null;
  readonly actor_issuer: string;
  readonly actor_subject: string;
  readonly client_address: string | null;
  readonly request_id: string;
  readonly details: Readonly<Record<string, string>> | null;
  readonly previous_hash: Buffer;
  readonly hash: Buffer;
  readonly transaction_id: string;
}

interface ChainHead {
  readonly service_account_uid: string;
  readonly sequence: string;
  readonly hash: Buffer;
}

const NOTHING: Buffer = Buffer.alloc(0);

/** What the documentation tells an auditor to compute, with nothing of the database's. */
export function hashOf(row: AuditRow): Buffer {
  const values = [
    row.organization_id,
    row.service_account_uid,
    Number(row.sequence),
    row.occurred_at.getTime() * 1000,
    row.action,
    row.outcome,
    row.service_account_id,
    row.credential_id,
    row.actor_issuer,
    row.actor_subject,
    row.client_address,
    row.request_id,
  ].map((value) => JSON.stringify(value));
  if (row.details !== null) values.push(objectText(row.details));
  return createHash("sha256")
    .update(row.previous_hash)
    .update(`[${values.join(", ")}]`, "utf8")
    .digest();
}

/** As PostgreSQL writes a jsonb object: shorter names first, those of one length by their bytes. */
function objectText(object: Readonly<Record<string, string>>): string {
  const members = Object.entries(object)
    .map(([name, value]) => ({
      name: Buffer.from(name),
      text: `${JSON.stringify(name)}: ${JSON.stringify(value)}`,
    }))
    .sort((one, other) => one.name.length - other.name.length || Buffer.compare(one.name, other.name));
  return `{${members.map(({ text }) => text).join(", ")}}`;
}

/** What is wrong with any chain of an organization, its own included, in words; empty when nothing is. */
export async function chainFaults(sql: postgres.Sql, organizationId: string): Promise<string[]> {
  const rows = await sql<AuditRow[]>`
    select * from keyturn.audit_events where organization_id = ${organizationId} order by service_account_uid, sequence`;
  const heads = await sql<ChainHead[]>`
    select * from keyturn.audit_chains where organization_id = ${organizationId}`;
  const chains = Map.groupBy(rows, (row) => row.service_account_uid);
  const uids = new Set([...chains.keys(), ...heads.map((head) => head.service_account_uid)]);
  return [...uids].flatMap((uid) =>
    faultsOf(
      uid,
      chains.get(uid) ?? [],
      heads.find((head) => head.service_account_uid === uid),
    ),
  );
}

function faultsOf(uid: string, rows: readonly AuditRow[], head: ChainHead | undefined): string[] {
  const faults: string[] = [];
  let previous = NOTHING;
  for (const [index, row] of rows.entries()) {
    const place = `${uid} ${row.sequence}`;
    if (Number(row.sequence) !== index + 1 || !row.previous_hash.equals(previous))
      faults.push(`chain is broken: ${place}`);
    if (!row.hash.equals(hashOf(row))) faults.push(`hash does not match: ${place}`);
    previous = row.hash;
  }
  if (head === undefined) faults.push(`chain without a head: ${uid}`);
  else if (Number(head.sequence) !== rows.length || !head.hash.equals(previous))
    faults.push(`head of the chain is elsewhere: ${uid}`);
  return faults;
}
