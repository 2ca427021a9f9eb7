import type postgres from "postgres";
import type { CallContext } from "../../src/domain/call-context.ts";
import { givenAccount } from "../support/database.ts";

/** Rows of the list that is read. */
export const ROWS = 100_000;

export interface LongList {
  readonly organizationId: string;
  readonly serviceAccountId: string;
}

/** A list is worth an index only among other organizations, whose statistics the planner weighs as well. */
async function givenNeighbours(sql: postgres.Sql): Promise<void> {
  await sql`insert into keyturn.organizations (id) select 'org-' || i from generate_series(1, 1000) i`;
  await sql`
    insert into keyturn.service_accounts (organization_id, id, display_name, scope_id, created_by)
    select 'org-' || i, 'sa-' || i, 'Neighbour', 'org-' || i, 'test' from generate_series(1, 1000) i`;
  await sql`
    insert into keyturn.credentials
      (organization_id, service_account_id, id, secret_hash, hint, created_by, created_at, expires_at)
    select 'org-' || i, 'sa-' || i, 'cred-neighbour', 'no-hash', 'hint', 'test', clock_timestamp(),
           clock_timestamp() + interval '90 days' from generate_series(1, 1000) i`;
}

/**
 * An account with so many credentials: three tenths revoked, five of them before their time, the rest expired, but for
 * five that are live. Besides, a tenth as many tombstones. Every other one was used.
 */
export async function givenManyCredentials(sql: postgres.Sql): Promise<LongList> {
  await givenNeighbours(sql);
  const { organizationId, id } = await givenAccount(sql);
  await sql`
    insert into keyturn.credentials
      (organization_id, service_account_id, id, secret_hash, hint, created_by, created_at, expires_at, deleted_at)
    select ${organizationId}, ${id}, 'cred-' || lpad(i::text, 20, '0'), repeat('x', 97), 'hint', 'test', begun + i * interval '1 minute',
           case when i in (29996, 29997, 29998, 29999, 30000, 40000, 60000, 80000, 99999, 100000) then clock_timestamp() + interval '30 days'
                else begun + i * interval '1 minute' + interval '1 hour' end,
           case when i > ${ROWS} then clock_timestamp() end
      from generate_series(1, ${ROWS} * 11 / 10) i, (select clock_timestamp() - interval '1 year') now_ (begun)`;
  await sql`
    insert into keyturn.credential_usage (organization_id, service_account_id, credential_id, last_used_at)
    select organization_id, service_account_id, id, created_at + interval '30 minutes' from keyturn.credentials
     where service_account_id = ${id} and right(id, 1)::integer % 2 = 0`;
  await sql`
    update keyturn.service_accounts set credentials_revoked_before =
           (select created_at from keyturn.credentials where id = 'cred-' || lpad('30001', 20, '0'))
     where organization_id = ${organizationId} and id = ${id}`;
  await analyze(sql);
  return { organizationId, serviceAccountId: id };
}

/** An organization with so many accounts, of which every third has a credential. */
export async function givenManyAccounts(sql: postgres.Sql): Promise<{ readonly organizationId: string }> {
  await givenNeighbours(sql);
  const organizationId = "org-many";
  await sql`insert into keyturn.organizations (id) values (${organizationId})`;
  await sql`
    insert into keyturn.service_accounts (organization_id, id, display_name, scope_id, created_by, created_at)
    select ${organizationId}, 'sa-' || lpad(i::text, 10, '0'), 'Account', ${organizationId}, 'test',
           clock_timestamp() - interval '1 year' + i * interval '1 minute'
      from generate_series(1, ${ROWS}) i`;
  await sql`
    insert into keyturn.credentials
      (organization_id, service_account_id, id, secret_hash, hint, created_by, created_at, expires_at)
    select ${organizationId}, 'sa-' || lpad(i::text, 10, '0'), 'cred-' || i, 'no-hash', 'hint', 'test', clock_timestamp(),
           clock_timestamp() + interval '90 days' from generate_series(1, ${ROWS}, 3) i`;
  await analyze(sql);
  return { organizationId };
}

/** An organization with so many events, three at each instant, of a hundred accounts. */
export async function givenManyEvents(sql: postgres.Sql): Promise<LongList> {
  await givenNeighbours(sql);
  const organizationId = "org-many";
  await sql`insert into keyturn.organizations (id) values (${organizationId})`;
  await sql`
    insert into keyturn.audit_events
      (organization_id, service_account_uid, sequence, occurred_at, action, outcome, service_account_id, actor_issuer,
       actor_subject, request_id, previous_hash, hash)
    select ${organizationId}, lpad((i % 100)::text, 32, '0')::uuid, i / 100 + 1,
           begun + i / 3 * interval '1 second', 'credential.create', 'succeeded', 'sa-' || i % 100, 'issuer', 'subject',
           'request-' || i, '', sha256(i::text::bytea)
      from generate_series(1, ${ROWS}) i, (select clock_timestamp() - interval '1 year') now_ (begun)`;
  await analyze(sql);
  return { organizationId, serviceAccountId: "sa-7" };
}

/** What autovacuum does by itself, when it comes to it. */
const analyze = (sql: postgres.Sql) =>
  sql`analyze keyturn.organizations, keyturn.service_accounts, keyturn.credentials, keyturn.credential_usage, keyturn.audit_events`;

/** A call of an administrator, as far as a read is concerned. */
export const contextOf = (organizationId: string): CallContext => ({
  caller: { issuer: "test", subject: "test", organizationId, roles: [], expiresAtMs: 0 },
  grantableRoles: "all",
  reach: "organization",
  requestId: "request",
  clientAddress: undefined,
  budgetMs: () => 10_000,
  signal: new AbortController().signal,
});
