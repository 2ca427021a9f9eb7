import type postgres from "postgres";
import { type Account, callCreate, callerOf, freshCredentialId, outcomeOf } from "./create-call.ts";

/** A row of the outbox. */
export interface EventRow {
  readonly organization_id: string;
  readonly service_account_uid: string;
  readonly sequence: string;
  readonly type: string;
  readonly service_account_id: string | null;
  readonly credential_id: string | null;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever is told
  readonly data: any;
  readonly attempts: number;
  readonly due_at: Date | null;
}

/** As if a server had a webhook. */
export const wantEvents = (sql: postgres.Sql) => sql`select keyturn.want_events('14 days')`;

/** What waits to be told of an organization, in the order in which it was written. */
export const eventsOf = (sql: postgres.Sql, { organizationId }: Pick<Account, "organizationId">) =>
  sql<EventRow[]>`select * from keyturn.events where organization_id = ${organizationId} order by sequence`;

/** Creates so many credentials, and gives their ids in order. */
export async function create(sql: postgres.Sql, account: Account, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, freshCredentialId);
  for (const credentialId of ids) await callCreate(sql, account, { credentialId, activeMax: 1_000 });
  return ids;
}

export const claim = (sql: postgres.Sql, rowsMax = 100, hold = "1 minute") =>
  sql<EventRow[]>`select * from keyturn.claim_events(${rowsMax}, ${hold})`;

export const accept = (sql: postgres.Sql, event: EventRow | undefined, hold: string | null = "1 minute") =>
  sql<EventRow[]>`
    select * from keyturn.accept_event(${event?.organization_id ?? ""}, ${event?.service_account_uid ?? ""},
                                       ${event?.sequence ?? 0}, ${hold})`;

export const postpone = (sql: postgres.Sql, event: EventRow | undefined, delay: string) =>
  sql`select keyturn.postpone_event(${event?.organization_id ?? ""}, ${event?.service_account_uid ?? ""},
                                    ${event?.sequence ?? 0}, ${event?.attempts ?? 0}, ${delay})`;

/** Deletes a credential. */
export const remove = (sql: postgres.Sql, account: Account, id: string) =>
  outcomeOf(sql, sql`keyturn.delete_credential(${callerOf(sql, account)}, ${account.id}, ${id}, null)`);
