import type postgres from "postgres";

/** What is wrong between credentials and audit rows, in words; empty when nothing is. */
export async function auditFaults(sql: postgres.Sql, organizationId: string): Promise<string[]> {
  const rows = await sql<{ fault: string }[]>`
    with events as (
      select * from keyturn.audit_events
       where organization_id = ${organizationId} and action = 'credential.create'
    )
    select 'credential without its audit row: ' || c.id as fault
      from keyturn.credentials c
     where c.organization_id = ${organizationId}
       and (select count(*) from events e
             where e.credential_id = c.id and e.service_account_id = c.service_account_id) <> 1
    union all
    select 'audit row without its credential: ' || e.credential_id
      from events e
     where not exists (
       select from keyturn.credentials c
        where c.organization_id = e.organization_id and c.service_account_id = e.service_account_id and c.id = e.credential_id)
    union all
    select 'hash does not match: ' || e.service_account_id || ' ' || e.sequence
      from events e
     where e.hash is distinct from keyturn.audit_event_hash(
       e.previous_hash, e.organization_id, e.service_account_uid, e.sequence, e.occurred_at, e.action, e.outcome,
       e.service_account_id, e.credential_id, e.actor_issuer, e.actor_subject, e.client_address, e.request_id)
    union all
    select 'chain is broken: ' || e.service_account_id || ' ' || e.sequence
      from (select *, lag(hash, 1, '\\x'::bytea) over chain as expected_hash, row_number() over chain as expected_sequence
              from events window chain as (partition by service_account_uid order by sequence)) e
     where e.previous_hash <> e.expected_hash or e.sequence <> e.expected_sequence
    union all
    select 'head of the chain is elsewhere: ' || a.id
      from keyturn.service_accounts a
      left join lateral (
        select sequence, hash from events e where e.service_account_uid = a.uid order by sequence desc limit 1) last on true
     where a.organization_id = ${organizationId}
       and (a.audit_sequence <> coalesce(last.sequence, 0) or a.audit_hash <> coalesce(last.hash, '\\x'::bytea))`;
  return rows.map(({ fault }) => fault);
}
