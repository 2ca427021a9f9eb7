import type postgres from "postgres";
import { chainFaults } from "./audit-chain.ts";

/**
 * What is wrong with an organization's credentials and its audit trail, in words; empty when nothing is. A tombstone is a
 * credential too; an account that was deleted took its credentials with it, and only its rows stay.
 */
export async function auditFaults(sql: postgres.Sql, organizationId: string): Promise<string[]> {
  return [...(await issueFaults(sql, organizationId)), ...(await chainFaults(sql, organizationId))];
}

async function issueFaults(sql: postgres.Sql, organizationId: string): Promise<string[]> {
  const rows = await sql<{ fault: string }[]>`
    with issues as (
      select * from keyturn.audit_events
       where organization_id = ${organizationId}
         and action in ('credential.create', 'credential.rotate') and outcome = 'succeeded'
    ), accounts as (
      select * from keyturn.service_accounts where organization_id = ${organizationId}
    ), credentials as (
      select c.id, a.uid as service_account_uid
        from accounts a
        join keyturn.credentials c on c.organization_id = a.organization_id and c.service_account_id = a.id
    )
    select 'credential without its one audit row: ' || c.id as fault
      from credentials c
     where (select count(*) from issues i
             where i.credential_id = c.id and i.service_account_uid = c.service_account_uid) <> 1
    union all
    select 'audit row without its credential: ' || coalesce(i.credential_id, 'none')
      from issues i
      join accounts a on a.uid = i.service_account_uid
     where not exists (
       select from credentials c where c.id = i.credential_id and c.service_account_uid = i.service_account_uid)
    union all
    select 'issue in the chain of no account: ' || i.sequence
      from issues i where i.service_account_uid = '00000000-0000-0000-0000-000000000000'`;
  return rows.map(({ fault }) => fault);
}
