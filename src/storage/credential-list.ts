import type { CallContext } from "../domain/call-context.ts";
import type { Credential, CredentialFilter, CredentialStatus } from "../domain/credential.ts";
import { serviceAccountNotFound } from "../domain/fault.ts";
import type { Page, PageRequest } from "../domain/page.ts";
import { runOfCall } from "./call-statement.ts";
import { toCredential } from "./credential-facts.ts";
import type { Database } from "./database.ts";
import type { Sql } from "./lane.ts";
import { type ListingRow, offsetOf, positionOutlived, rowsWanted, toPage } from "./listing.ts";
import type { Fragment } from "./mutation.ts";

interface CredentialRow extends ListingRow {
  readonly account_uid: string;
}

/**
 * A page of an account's credentials. Its position names the account by its uid: one that was created anew under the same
 * id has other credentials.
 * @throws FaultError not_found; invalid_argument for the position of an earlier account.
 */
export async function listCredentials(
  db: Database,
  ctx: CallContext,
  serviceAccountId: string,
  filter: CredentialFilter,
  page: PageRequest,
): Promise<Page<Credential>> {
  const rows = await runOfCall<CredentialRow>(db, ctx.signal, (sql) =>
    credentialList(sql, ctx.caller.organizationId, serviceAccountId, filter, page),
  );
  const [first] = rows;
  if (first === undefined) throw serviceAccountNotFound(serviceAccountId);
  if (page.start.kind === "after" && page.start.position[2] !== first.account_uid) throw positionOutlived();
  return toPage(rows, page, toCredential, (facts) => [facts["created_at"], facts["id"], first.account_uid]);
}

function credentialList(
  sql: Sql,
  organizationId: string,
  serviceAccountId: string,
  filter: CredentialFilter,
  page: PageRequest,
) {
  const { start } = page;
  const fitting = fittingCredentials(sql, filter);
  const [createdAt = "", id = ""] = start.kind === "after" ? start.position : [];
  const after = start.kind === "after" ? sql`where (s.created_at, s.id) > (${createdAt}, ${id})` : sql``;
  const total = start.kind === "offset" ? sql`(select count(*) from ${fitting})` : sql`null`;
  return sql<CredentialRow[]>`
    select a.uid as account_uid, to_jsonb(p) as item, ${total} as total
      from keyturn.service_accounts a
      join keyturn.organizations o on o.id = a.organization_id
     cross join lateral (select keyturn.revoked_before(a, o)) r (revoked_before)
      left join lateral (
        select * from ${fitting} ${after}
         order by s.created_at, s.id offset ${offsetOf(start)} limit ${rowsWanted(page)}) p on true
     where a.organization_id = ${organizationId} and a.id = ${serviceAccountId}
     order by p.created_at, p.id`;
}

/**
 * The credentials that fit, as `s`. Of the live ones there are never many: they are found by their expiry before anything
 * is put in order (which `offset 0` sees to), however many have expired. All others are read in the order of their
 * creation until the page is full. The planner must not be free to choose: once a statement has run a few times, it goes
 * by what an average account has.
 */
function fittingCredentials(sql: Sql, filter: CredentialFilter): Fragment {
  const isLive = filter.status === "active" || filter.status === "pending";
  const [inOrder, fence] = isLive ? [sql``, sql`offset 0`] : [sql`and s.created_at > '-infinity'`, sql``];
  return sql`(
    select * from keyturn.account_credential_states(
             a.organization_id, a.id, a.uid, r.revoked_before, statement_timestamp()) s
     where ${statusFits(sql, filter.status)} ${usageFits(sql, filter)} ${inOrder} ${fence}) s`;
}

/** Says what a status means in words that an index understands, besides the status itself. */
function statusFits(sql: Sql, status: CredentialStatus | undefined): Fragment {
  switch (status) {
    case undefined:
      return sql`true`;
    case "active":
    case "pending":
      return sql`s.status = ${status} and s.is_live`;
    case "expired":
      return sql`s.status = ${status} and s.created_at >= coalesce(r.revoked_before, '-infinity')`;
    case "revoked":
      return sql`s.status = ${status} and s.created_at < greatest(r.revoked_before, (
        select max(l.created_at) + interval '1 millisecond' from keyturn.credentials l
         where l.organization_id = a.organization_id and l.service_account_id = a.id
           and l.leaked_at is not null and l.deleted_at is null))`;
  }
}

/** In words that no index understands, for none is in the order that is wanted. What was never used was used before all time. */
function usageFits(sql: Sql, { expiringBefore, unusedSince, neverUsed }: CredentialFilter): Fragment {
  return sql`
    ${expiringBefore === undefined ? sql`` : sql`and (s.expires_at < ${expiringBefore}) is true`}
    ${unusedSince === undefined ? sql`` : sql`and s.created_at <= ${unusedSince} and coalesce(s.last_used_at < ${unusedSince}, true)`}
    ${neverUsed ? sql`and coalesce(s.last_used_at < '-infinity', true)` : sql``}`;
}
