import { type AuditEvent, type AuditEventFilter, isOfServiceAccount } from "../domain/audit-event.ts";
import type { CallContext } from "../domain/call-context.ts";
import { organizationNotFound } from "../domain/fault.ts";
import type { Page, PageRequest, PageStart } from "../domain/page.ts";
import { runOfCall } from "./call-statement.ts";
import type { Database } from "./database.ts";
import type { Sql } from "./lane.ts";
import { type ListingRow, offsetOf, rowsWanted, toPage } from "./listing.ts";
import type { Fragment } from "./mutation.ts";
import type { Facts } from "./refusal.ts";

export interface AuditEvents {
  /**
   * By time. All pages show the trail as it was when the first was read, so that none of its rows is skipped or shown
   * twice, whatever is written in between. @throws FaultError not_found for an organization that was deleted.
   */
  list(ctx: CallContext, filter: AuditEventFilter, page: PageRequest): Promise<Page<AuditEvent>>;
}

export function openAuditEvents(db: Database): AuditEvents {
  return {
    async list(ctx, filter, page) {
      const { organizationId } = ctx.caller;
      const rows = await runOfCall<EventRow>(db, ctx.signal, (sql) =>
        eventList(sql, organizationId, filter, page),
      );
      const [first] = rows;
      if (first?.organization_status === "deleted") throw organizationNotFound(organizationId);
      const view =
        page.start.kind === "after"
          ? page.start.position.slice(3)
          : [snapshotText(first?.snapshot ?? ""), first?.read_at ?? ""];
      return toPage(rows, page, toEvent, (facts) => [
        facts["occurred_at"],
        facts["service_account_uid"],
        String(facts["sequence"]),
        ...view,
      ]);
    },
  };
}

interface EventRow extends ListingRow {
  readonly organization_status: string | null;
  readonly snapshot: string;
  readonly read_at: string;
}

/** Characters of a snapshot that a page token has room for, beside the rest of a position. */
const SNAPSHOT_LENGTH_MAX = 512;

/**
 * A snapshot names every transaction that was under way. When there are too many of them for a token, it is taken as if
 * there were none: rows of theirs may show then that the first page could not see, and still none is skipped or shown
 * twice.
 */
function snapshotText(snapshot: string): string {
  if (snapshot.length <= SNAPSHOT_LENGTH_MAX) return snapshot;
  const [, end] = snapshot.split(":");
  return `${end}:${end}:`;
}

function eventList(sql: Sql, organizationId: string, filter: AuditEventFilter, page: PageRequest) {
  const { start } = page;
  const fits = sql`e.organization_id = ${organizationId} ${eventFits(sql, remaining(filter, start))}`;
  const order = filter.latestFirst
    ? sql`occurred_at desc, service_account_uid desc, sequence desc`
    : sql`occurred_at, service_account_uid, sequence`;
  const after = start.kind === "after" ? behind(sql, filter, start.position) : sql``;
  const total =
    start.kind === "offset" ? sql`(select count(*) from keyturn.audit_events e where ${fits})` : sql`null`;
  return sql<EventRow[]>`
    select o.status as organization_status, pg_current_snapshot()::text as snapshot, statement_timestamp()::text as read_at,
           to_jsonb(p) as item, ${total} as total
      from (select) one
      left join keyturn.organizations o on o.id = ${organizationId}
      left join lateral (
        select e.occurred_at, e.action, e.outcome, e.service_account_id, e.service_account_uid, e.credential_id,
               e.actor_issuer, e.actor_subject, e.client_address, e.request_id, e.details, e.sequence
          from keyturn.audit_events e where ${fits} ${after}
         order by ${order} offset ${offsetOf(start)} limit ${rowsWanted(page)}) p on true
     order by ${order}`;
}

/** A position keeps the bound that it came from, and two of them would have the index read from the farther one. */
function remaining(filter: AuditEventFilter, start: PageStart): AuditEventFilter {
  if (start.kind !== "after") return filter;
  return { ...filter, [filter.latestFirst ? "until" : "since"]: undefined };
}

const eventFits = (sql: Sql, { serviceAccountId, since, until }: AuditEventFilter): Fragment => sql`
  ${serviceAccountId === undefined ? sql`` : sql`and e.service_account_id = ${serviceAccountId}`}
  ${since === undefined ? sql`` : sql`and e.occurred_at >= ${since}`}
  ${until === undefined ? sql`` : sql`and e.occurred_at < ${until}`}`;

/**
 * Behind a position, and visible when the first page was read. Transaction ids begin anew when a dump is loaded into
 * another cluster; what is older than an hour was visible in any case, as no statement runs that long.
 */
function behind(sql: Sql, { latestFirst }: AuditEventFilter, position: readonly string[]): Fragment {
  const [occurredAt = "", uid = "", sequence = "", snapshot = "", readAt = ""] = position;
  const key = sql`(e.occurred_at, e.service_account_uid, e.sequence)`;
  const place = sql`(${occurredAt}::timestamptz, ${uid}::uuid, ${sequence}::bigint)`;
  return sql`
    and ${key} ${latestFirst ? sql`<` : sql`>`} ${place}
    and (pg_visible_in_snapshot(e.transaction_id, ${snapshot}::pg_snapshot)
         or e.occurred_at < ${readAt}::timestamptz - interval '1 hour')`;
}

function toEvent(facts: Facts): AuditEvent {
  const uid: string = facts["service_account_uid"];
  return {
    occurredAt: new Date(facts["occurred_at"]),
    action: facts["action"],
    outcome: facts["outcome"],
    serviceAccountId: facts["service_account_id"] ?? undefined,
    serviceAccountUid: isOfServiceAccount(uid) ? uid : undefined,
    credentialId: facts["credential_id"] ?? undefined,
    actorIssuer: facts["actor_issuer"],
    actorSubject: facts["actor_subject"],
    clientAddress: facts["client_address"] ?? undefined,
    requestId: facts["request_id"],
    details: facts["details"] ?? {},
    sequence: BigInt(facts["sequence"]),
  };
}
