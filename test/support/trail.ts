import type postgres from "postgres";
import { eventually } from "./eventually.ts";

/** A row of the trail as a reader sees it, but for its hashes. */
export interface TrailRow {
  readonly organizationId: string;
  readonly occurredAt: Date;
  readonly action: string;
  readonly outcome: string;
  readonly serviceAccountId: string | null;
  /** Undefined for the chain of the organization. */
  readonly serviceAccountUid: string | undefined;
  readonly credentialId: string | null;
  readonly issuer: string;
  readonly subject: string;
  readonly clientAddress: string | null;
  readonly requestId: string;
  readonly details: Readonly<Record<string, string>>;
}

/** Every row that a call left, by its request id. */
export async function rowsOfCall(sql: postgres.Sql, requestId: string): Promise<TrailRow[]> {
  const rows = await sql<TrailRow[]>`
    select organization_id as "organizationId", occurred_at as "occurredAt", action, outcome,
           service_account_id as "serviceAccountId",
           case when service_account_uid not in ('00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff')
                then service_account_uid::text end as "serviceAccountUid",
           credential_id as "credentialId", actor_issuer as issuer, actor_subject as subject,
           host(client_address) as "clientAddress", request_id as "requestId", details
      from keyturn.audit_events where request_id = ${requestId} order by occurred_at, sequence`;
  return rows.map((row) => ({
    ...row,
    serviceAccountUid: row.serviceAccountUid ?? undefined,
    details: row.details ?? {},
  }));
}

/** The row of a call that nobody waits for any more, once it is there. */
export const rowOfCallLeft = (sql: postgres.Sql, requestId: string): Promise<TrailRow> =>
  eventually(async () => (await rowsOfCall(sql, requestId))[0]);

/** How many rows there are, of all organizations. */
export async function trailLength(sql: postgres.Sql): Promise<number> {
  const [row] = await sql<{ count: number }[]>`select count(*)::int from keyturn.audit_events`;
  return row?.count ?? -1;
}

/** By the database's clock, cut to the millisecond as the trail is. */
export async function databaseNow(sql: postgres.Sql): Promise<Date> {
  const [row] = await sql<{ now: Date }[]>`select date_trunc('milliseconds', clock_timestamp()) as now`;
  return row?.now ?? new Date(Number.NaN);
}
