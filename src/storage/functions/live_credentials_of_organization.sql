-- How many credentials a revocation of the whole organization ends, and the instant that ends them: after the newest, and
-- after the one that is being created now as the next of its account, which nobody sees yet.
--
-- The organization's lock is held meanwhile, and the switch must work however much there is. So the newest is read from an
-- index of its own, and of those that have not expired fifty thousand are looked at: of more the count tells at least.
create or replace function keyturn.live_credentials_of_organization(
  p_organization keyturn.organizations, p_now timestamptz, p_exempt_service_account_ids text[]
)
returns jsonb
language sql stable
set search_path = keyturn, pg_temp
as $$
  select jsonb_build_object(
    'revoked_before', greatest(p_now, p_organization.credentials_revoked_before, (
        select c.created_at + interval '1 millisecond' from credentials c
         where c.organization_id = p_organization.id and c.deleted_at is null and c.created_at < 'infinity'
         order by c.created_at desc limit 1)) + interval '1 millisecond',
    'revoked_credential_count', (
        select count(*) from (
          select c.created_at >= coalesce(revoked_before(a, p_organization), '-infinity') as is_live
            from service_accounts a
           cross join lateral (
                 -- The limit also has each account's read from the index by expiry, however many have expired.
                 select k.created_at from credentials k
                  where k.organization_id = a.organization_id and k.service_account_id = a.id
                    and k.deleted_at is null and k.expires_at > p_now
                  order by k.expires_at limit 50000) c
           where a.organization_id = p_organization.id and a.id <> all (p_exempt_service_account_ids)
           limit 50000) unexpired
         where is_live))
$$;
