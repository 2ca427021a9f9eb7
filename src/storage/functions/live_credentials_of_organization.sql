-- How many credentials a revocation of the whole organization ends, and the instant that ends them: after the newest, and
-- after the one that is being created now, which nobody sees yet. That one is created by the clock, behind the newest of
-- its account, or at the instant of an earlier revocation of its account or its organization (see creation_instant).
--
-- The organization's lock is held meanwhile, and the switch must work at once however much there is. So both instants are
-- read from indexes of their own, and the ten thousand newest are counted: with more than that there is no count.
create or replace function keyturn.live_credentials_of_organization(
  p_organization keyturn.organizations, p_now timestamptz, p_exempt_service_account_ids text[]
)
returns jsonb
language sql stable
as $$
  with newest as (
    select c.service_account_id, c.created_at, c.expires_at, c.leaked_at from keyturn.credentials c
     where c.organization_id = p_organization.id and c.deleted_at is null and c.created_at < 'infinity'
       -- What an earlier revocation has ended, unless it spared some.
       and c.created_at >= case when p_organization.revocation_exemptions = '{}'
                                then coalesce(p_organization.credentials_revoked_before, '-infinity') else '-infinity' end
     order by c.created_at desc limit 10001
  )
  select jsonb_build_object(
    'revoked_before', greatest(
        p_now, p_organization.credentials_revoked_before,
        (select max(n.created_at) + interval '1 millisecond' from newest n),
        (select a.credentials_revoked_before from keyturn.service_accounts a
          where a.organization_id = p_organization.id and a.credentials_revoked_before is not null
          order by a.credentials_revoked_before desc limit 1)) + interval '1 millisecond',
    'revoked_credential_count', (
        select case when (select count(*) from newest) <= 10000 then count(*) end
          from newest n
          join keyturn.service_accounts a on a.organization_id = p_organization.id and a.id = n.service_account_id
         where n.expires_at > p_now and n.leaked_at is null and a.id <> all (p_exempt_service_account_ids)
           and n.created_at >= coalesce(keyturn.revoked_before(a, p_organization), '-infinity')))
$$;
