import type { CallContext } from "../domain/call-context.ts";
import { organizationNotFound, serviceAccountNotFound } from "../domain/fault.ts";
import type { Page, PageRequest } from "../domain/page.ts";
import type {
  ServiceAccount,
  ServiceAccountChanges,
  ServiceAccountFilter,
  ServiceAccountLoss,
  ServiceAccountScope,
  ServiceAccountStatus,
} from "../domain/service-account.ts";
import { runOfCall } from "./call-statement.ts";
import { optionalInstant } from "./credential-facts.ts";
import type { Database } from "./database.ts";
import type { Sql } from "./lane.ts";
import { type ListingRow, offsetOf, rowsWanted, toPage } from "./listing.ts";
import { type Fragment, mutate, type Outcome } from "./mutation.ts";
import type { Facts } from "./refusal.ts";

export interface NewServiceAccount {
  readonly serviceAccountId: string;
  readonly displayName: string;
  readonly description: string | undefined;
  readonly scope: ServiceAccountScope;
  readonly scopeId: string;
  readonly roles: readonly string[];
  readonly validateOnly: boolean;
}

/** Names one account, and what the caller last read of it. */
export interface ServiceAccountTarget {
  readonly serviceAccountId: string;
  readonly etag: string | undefined;
  readonly validateOnly: boolean;
}

/** Statements about service accounts. Each is one statement, and so one round trip (docs/adr/0003). */
export interface ServiceAccounts {
  create(ctx: CallContext, wanted: NewServiceAccount): Promise<Outcome<ServiceAccount>>;
  update(
    ctx: CallContext,
    target: ServiceAccountTarget,
    changes: ServiceAccountChanges,
  ): Promise<Outcome<ServiceAccount>>;
  delete(ctx: CallContext, target: ServiceAccountTarget): Promise<Outcome<ServiceAccountLoss>>;
  /** @throws FaultError not_found */
  get(ctx: CallContext, id: string): Promise<ServiceAccount>;
  /** In the order of their creation. @throws FaultError not_found for an organization that was deleted. */
  list(ctx: CallContext, filter: ServiceAccountFilter, page: PageRequest): Promise<Page<ServiceAccount>>;
}

export function openServiceAccounts(db: Database): ServiceAccounts {
  return {
    create: (ctx, wanted) =>
      mutate(
        db,
        { ctx, ...wanted },
        (sql, caller) => sql`keyturn.create_service_account(
          ${caller}, ${wanted.serviceAccountId}, ${wanted.displayName}, ${wanted.description ?? null}, ${wanted.scope},
          ${wanted.scopeId}, ${[...wanted.roles]})`,
        toAccount,
      ),
    update: (ctx, target, changes) =>
      mutate(
        db,
        { ctx, ...target },
        (sql, caller) => sql`keyturn.update_service_account(
          ${caller}, ${target.serviceAccountId}, ${target.etag ?? null}, ${sql.json(changesJson(changes))})`,
        toAccount,
      ),
    delete: (ctx, target) =>
      mutate(
        db,
        { ctx, ...target },
        (sql, caller) => sql`keyturn.delete_service_account(
          ${caller}, ${target.serviceAccountId}, ${target.etag ?? null})`,
        (facts): ServiceAccountLoss => ({
          lastUsedAt: optionalInstant(facts["last_used_at"]),
          activeCredentialCount: facts["active_credential_count"],
        }),
      ),
    async get(ctx, id) {
      const [row] = await runOfCall<{ item: Facts }>(
        db,
        ctx.signal,
        (sql) => sql`
          select to_jsonb(s) as item
            from keyturn.service_account_states(${ctx.caller.organizationId}, statement_timestamp()) s
           where s.id = ${id}`,
      );
      if (row === undefined) throw serviceAccountNotFound(id);
      return toServiceAccount(row.item);
    },
    async list(ctx, filter, page) {
      const { organizationId } = ctx.caller;
      const rows = await runOfCall<AccountRow>(db, ctx.signal, (sql) =>
        accountList(sql, organizationId, filter, page),
      );
      if (rows[0]?.organization_status === "deleted") throw organizationNotFound(organizationId);
      return toPage(rows, page, toServiceAccount, (facts) => [facts["created_at"], facts["id"]]);
    },
  };
}

interface AccountRow extends ListingRow {
  readonly organization_status: string | null;
}

/** One row at least, also for an organization that nobody has heard of. */
function accountList(sql: Sql, organizationId: string, filter: ServiceAccountFilter, page: PageRequest) {
  const { start } = page;
  const states = sql`keyturn.service_account_states(${organizationId}, statement_timestamp()) s`;
  const fits = accountFits(sql, filter);
  const [createdAt = "", id = ""] = start.kind === "after" ? start.position : [];
  const after = start.kind === "after" ? sql`and (s.created_at, s.id) > (${createdAt}, ${id})` : sql``;
  const total = start.kind === "offset" ? sql`(select count(*) from ${states} where ${fits})` : sql`null`;
  return sql<AccountRow[]>`
    select o.status as organization_status, to_jsonb(p) as item, ${total} as total
      from (select) one
      left join keyturn.organizations o on o.id = ${organizationId}
      left join lateral (
        select * from ${states} where ${fits} ${after}
         order by s.created_at, s.id offset ${offsetOf(start)} limit ${rowsWanted(page)}) p on true
     order by p.created_at, p.id`;
}

const accountFits = (sql: Sql, { scope, scopeId, status }: ServiceAccountFilter): Fragment => sql`true
  ${scope === undefined ? sql`` : sql`and s.scope = ${scope}`}
  ${scopeId === undefined ? sql`` : sql`and s.scope_id = ${scopeId}`}
  ${status === undefined ? sql`` : sql`and s.status = ${status}`}`;

/** A member for each field that is changed, and no others. */
function changesJson({ displayName, description, roles, status }: ServiceAccountChanges) {
  return {
    ...(displayName === undefined ? {} : { display_name: displayName }),
    ...(description === undefined ? {} : { description }),
    ...(roles === undefined ? {} : { roles: [...roles] }),
    ...(status === undefined ? {} : { status }),
  };
}

const toAccount = (facts: Facts): ServiceAccount => toServiceAccount(facts["service_account"]);

/** A service account from what a function or a list says of it (service_account_states). */
function toServiceAccount(facts: Facts): ServiceAccount {
  return {
    uid: facts["uid"] ?? "",
    id: facts["id"],
    displayName: facts["display_name"],
    description: facts["description"] ?? undefined,
    clientId: facts["client_id"],
    scope: facts["scope"] as ServiceAccountScope,
    scopeId: facts["scope_id"],
    roles: facts["roles"] ?? [],
    status: facts["status"] as ServiceAccountStatus,
    createdBy: facts["created_by"],
    createdAt: new Date(facts["created_at"]),
    updatedAt: new Date(facts["updated_at"]),
    activeCredentialCount: facts["active_credential_count"],
    etag: facts["etag"] ?? "",
    credentialsRevokedBefore: optionalInstant(facts["credentials_revoked_before"]),
  };
}
