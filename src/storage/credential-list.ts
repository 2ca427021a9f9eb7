import type { CallContext } from "../domain/call-context.ts";
import type { Credential, CredentialFilter } from "../domain/credential.ts";
import { serviceAccountNotFound } from "../domain/fault.ts";
import type { Page, PageRequest } from "../domain/page.ts";
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
  const rows = await db.run<CredentialRow>(ctx.signal, (sql) =>
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
  const states = sql`keyturn.credential_states(a.organization_id, a.id, statement_timestamp()) s`;
  const fits = credentialFits(sql, filter);
  const [createdAt = "", id = ""] = start.kind === "after" ? start.position : [];
  const after = start.kind === "after" ? sql`and (s.created_at, s.id) > (${createdAt}, ${id})` : sql``;
  const total = start.kind === "offset" ? sql`(select count(*) from ${states} where ${fits})` : sql`null`;
  return sql<CredentialRow[]>`
    select a.uid as account_uid, to_jsonb(p) as item, ${total} as total
      from keyturn.service_accounts a
      left join lateral (
        select * from ${states} where ${fits} ${after}
         order by s.created_at, s.id offset ${offsetOf(start)} limit ${rowsWanted(page)}) p on true
     where a.organization_id = ${organizationId} and a.id = ${serviceAccountId}
     order by p.created_at, p.id`;
}

function credentialFits(sql: Sql, filter: CredentialFilter): Fragment {
  const { status, expiringBefore, unusedSince, neverUsed } = filter;
  const isLive = status === "active" || status === "pending";
  return sql`true
    ${status === undefined ? sql`` : sql`and s.status = ${status}`}
    ${isLive ? sql`and s.is_live` : sql``}
    ${expiringBefore === undefined ? sql`` : sql`and s.expires_at < ${expiringBefore}`}
    ${unusedSince === undefined ? sql`` : sql`and s.created_at <= ${unusedSince} and coalesce(s.last_used_at < ${unusedSince}, true)`}
    ${neverUsed ? sql`and s.last_used_at is null` : sql``}`;
}
