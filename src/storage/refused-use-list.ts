import type { CallContext } from "../domain/call-context.ts";
import type { RefusedUse } from "../domain/credential.ts";
import { serviceAccountNotFound } from "../domain/fault.ts";
import type { Page, PageRequest } from "../domain/page.ts";
import { runOfCall } from "./call-statement.ts";
import type { Database } from "./database.ts";
import type { Sql } from "./lane.ts";
import { type ListingRow, offsetOf, positionOutlived, rowsWanted, toPage } from "./listing.ts";
import type { Facts } from "./refusal.ts";

interface UseRow extends ListingRow {
  readonly account_uid: string;
}

/**
 * A page of an account's refused uses, those of deleted credentials among them, by the credentials' ids.
 * @throws FaultError not_found; invalid_argument for the position of an earlier account.
 */
export async function listRefusedUses(
  db: Database,
  ctx: CallContext,
  serviceAccountId: string,
  page: PageRequest,
): Promise<Page<RefusedUse>> {
  const rows = await runOfCall<UseRow>(db, ctx.signal, (sql) =>
    useList(sql, ctx.caller.organizationId, serviceAccountId, page),
  );
  const [first] = rows;
  if (first === undefined) throw serviceAccountNotFound(serviceAccountId);
  if (page.start.kind === "after" && page.start.position[1] !== first.account_uid) throw positionOutlived();
  return toPage(rows, page, toRefusedUse, (facts) => [facts["credential_id"], first.account_uid]);
}

function useList(sql: Sql, organizationId: string, serviceAccountId: string, page: PageRequest) {
  const { start } = page;
  const uses = sql`keyturn.credential_usage u
    where u.organization_id = a.organization_id and u.service_account_id = a.id and u.last_refused_at is not null`;
  const [id = ""] = start.kind === "after" ? start.position : [];
  const after = start.kind === "after" ? sql`and u.credential_id > ${id}` : sql``;
  const total = start.kind === "offset" ? sql`(select count(*) from ${uses})` : sql`null`;
  return sql<UseRow[]>`
    select a.uid as account_uid, to_jsonb(p) as item, ${total} as total
      from keyturn.service_accounts a
      left join lateral (
        select u.credential_id, c.hint, c.display_name, u.last_refused_at, u.last_refused_reason, u.last_refused_ip,
               u.last_refused_user_agent, u.refused_count
          from (select * from ${uses} ${after}
                 order by u.credential_id offset ${offsetOf(start)} limit ${rowsWanted(page)}) u
          join keyturn.credentials c on c.organization_id = u.organization_id
                                    and c.service_account_id = u.service_account_id and c.id = u.credential_id) p on true
     where a.organization_id = ${organizationId} and a.id = ${serviceAccountId}
     order by p.credential_id`;
}

const toRefusedUse = (facts: Facts): RefusedUse => ({
  credentialId: facts["credential_id"],
  hint: facts["hint"],
  displayName: facts["display_name"] ?? undefined,
  lastRefusedAt: new Date(facts["last_refused_at"]),
  reason: facts["last_refused_reason"],
  ip: facts["last_refused_ip"] ?? undefined,
  userAgent: facts["last_refused_user_agent"] ?? undefined,
  count: facts["refused_count"],
});
