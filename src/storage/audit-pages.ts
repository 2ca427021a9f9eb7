import type { ChainedRow } from "./chain-check.ts";
import type { Database } from "./database.ts";
import type { Sql } from "./lane.ts";
import type { Fragment } from "./mutation.ts";

/** Which part of the trail to look at. */
export interface AuditScope {
  /** Absent: every organization. */
  readonly organizationId?: string;
  /** UUID of one chain; absent: every chain. */
  readonly serviceAccountUid?: string;
  /** Rows that are read at a time. Default 2,000. */
  readonly pageRows?: number;
}

/** What a chain belongs to, and whether it has lost something. */
export interface ChainOwner {
  readonly organizationId: string;
  readonly serviceAccountUid: string;
  /** Of the head, where there is one. */
  readonly sequence: bigint;
  readonly isLost: boolean;
}

export const PAGE_TIMEOUT_MS = 120_000;
const PAGE_ROWS = 2_000;
const rowsOfPage = ({ pageRows = PAGE_ROWS }: AuditScope) => pageRows;

/** Every row in the order of the chains, each with the head of its chain as it was when the row was read. */
export async function* chainedRows(db: Database, scope: AuditScope): AsyncGenerator<ChainedRow[]> {
  for await (const page of pagesOf(db, scope, rowPage(scope), (row) => [...ownerKey(row), row.sequence]))
    yield page.map(toChainedRow);
}

/** Every head, and whether all rows of its chain are gone. */
export async function* heads(db: Database, scope: AuditScope): AsyncGenerator<ChainOwner[]> {
  for await (const page of pagesOf(db, scope, headPage(scope), ownerKey)) yield page.map(toOwner);
}

/** Every service account, and whether its chain is gone although it has credentials: each came with a row. */
export async function* accounts(db: Database, scope: AuditScope): AsyncGenerator<ChainOwner[]> {
  for await (const page of pagesOf(db, scope, accountPage(scope), ownerKey)) yield page.map(toOwner);
}

interface OwnerRow {
  readonly organization_id: string;
  readonly service_account_uid: string;
  readonly sequence: string;
}

interface LostRow extends OwnerRow {
  readonly is_lost: boolean | null;
}

interface EventRow extends OwnerRow {
  readonly content: string;
  readonly previous_hash: Buffer;
  readonly hash: Buffer;
  readonly head_sequence: string | null;
  readonly head_hash: Buffer | null;
}

/** The rows behind a key. */
type PageOf<Row extends object> = (sql: Sql, after: readonly string[]) => ReturnType<typeof sql<Row[]>>;

const BEFORE_ALL: readonly string[] = ["", "00000000-0000-0000-0000-000000000000", "-9223372036854775808"];
const ownerKey = (row: OwnerRow) => [row.organization_id, row.service_account_uid];

/** One statement a page: in the driver and in the server, more rows take no more memory. */
async function* pagesOf<Row extends object>(
  db: Database,
  scope: AuditScope,
  pageOf: PageOf<Row>,
  keyOf: (row: Row) => readonly string[],
): AsyncGenerator<Row[]> {
  let after = BEFORE_ALL;
  for (;;) {
    const page = await db.run<Row>(AbortSignal.timeout(PAGE_TIMEOUT_MS), (sql) => pageOf(sql, after));
    yield page;
    const last = page.at(-1);
    if (last === undefined || page.length < rowsOfPage(scope)) return;
    after = keyOf(last);
  }
}

const within = (sql: Sql, scope: AuditScope, uid: Fragment): Fragment => sql`
  ${scope.organizationId === undefined ? sql`` : sql`and t.organization_id = ${scope.organizationId}`}
  ${scope.serviceAccountUid === undefined ? sql`` : sql`and ${uid} = ${scope.serviceAccountUid}`}`;

// Whatever is looked up beside a row is a lateral join with a limit: as a plain join or `exists` the planner is free to
// read the whole other table for each page.

/** The content as `functions/audit_event_hash.sql` has it, by builtins of the server and nothing of the schema's own. */
const rowPage =
  (scope: AuditScope): PageOf<EventRow> =>
  (sql, [organizationId = "", uid = "", sequence = ""]) =>
    sql`
    select t.organization_id, t.service_account_uid, t.sequence, t.previous_hash, t.hash,
           c.sequence as head_sequence, c.hash as head_hash,
           (jsonb_build_array(
              t.organization_id, t.service_account_uid, t.sequence,
              (extract(epoch from t.occurred_at) * 1000000)::bigint, t.action, t.outcome,
              t.service_account_id, t.credential_id, t.actor_issuer, t.actor_subject,
              t.client_address, t.request_id)
            || case when t.details is null then '[]' else jsonb_build_array(t.details) end)::text as content
      from keyturn.audit_events t
      left join lateral (
        select * from keyturn.audit_chains c
         where c.organization_id = t.organization_id and c.service_account_uid = t.service_account_uid limit 1) c on true
     where (t.organization_id, t.service_account_uid, t.sequence) > (${organizationId}, ${uid}::uuid, ${sequence}::bigint)
           ${within(sql, scope, sql`t.service_account_uid`)}
     order by t.organization_id, t.service_account_uid, t.sequence limit ${rowsOfPage(scope)}`;

const headPage =
  (scope: AuditScope): PageOf<LostRow> =>
  (sql, [organizationId = "", uid = ""]) =>
    sql`
    select t.organization_id, t.service_account_uid, t.sequence, e.is_there is null as is_lost
      from keyturn.audit_chains t
      left join lateral (
        select true as is_there from keyturn.audit_events e
         where e.organization_id = t.organization_id and e.service_account_uid = t.service_account_uid limit 1) e on true
     where (t.organization_id, t.service_account_uid) > (${organizationId}, ${uid}::uuid)
           ${within(sql, scope, sql`t.service_account_uid`)}
     order by t.organization_id, t.service_account_uid limit ${rowsOfPage(scope)}`;

const accountPage =
  (scope: AuditScope): PageOf<LostRow> =>
  (sql, [organizationId = "", uid = ""]) =>
    sql`
    select t.organization_id, t.uid as service_account_uid, 0 as sequence,
           h.is_there is null and e.is_there is null and c.is_there as is_lost
      from keyturn.service_accounts t
      left join lateral (
        select true as is_there from keyturn.audit_chains h
         where h.organization_id = t.organization_id and h.service_account_uid = t.uid limit 1) h on true
      left join lateral (
        select true as is_there from keyturn.audit_events e
         where e.organization_id = t.organization_id and e.service_account_uid = t.uid limit 1) e on true
      left join lateral (
        select true as is_there from keyturn.credentials c
         where c.organization_id = t.organization_id and c.service_account_id = t.id limit 1) c on true
     where (t.organization_id, t.uid) > (${organizationId}, ${uid}::uuid) ${within(sql, scope, sql`t.uid`)}
     order by t.organization_id, t.uid limit ${rowsOfPage(scope)}`;

const toChainedRow = (row: EventRow): ChainedRow => ({
  organizationId: row.organization_id,
  serviceAccountUid: row.service_account_uid,
  sequence: BigInt(row.sequence),
  content: row.content,
  previousHash: row.previous_hash,
  hash: row.hash,
  head:
    row.head_sequence === null || row.head_hash === null
      ? undefined
      : { sequence: BigInt(row.head_sequence), hash: row.head_hash },
});

const toOwner = (row: LostRow): ChainOwner => ({
  organizationId: row.organization_id,
  serviceAccountUid: row.service_account_uid,
  sequence: BigInt(row.sequence),
  isLost: row.is_lost === true,
});
