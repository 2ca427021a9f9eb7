-- How many credentials a revocation of the whole organization ends, and the instant that ends them: after the newest.
create or replace function keyturn.live_credentials_of_organization(
  p_organization_id text, p_now timestamptz, p_exempt_service_account_ids text[]
)
returns jsonb
language sql stable
set search_path = keyturn, pg_temp
as $$
  select jsonb_build_object(
           'revoked_before', greatest(p_now, max(c.created_at)) + interval '1 millisecond',
           'revoked_credential_count', count(*) filter (where c.created_at >= coalesce(r.revoked_before, '-infinity')))
    from organizations o
    join credentials c on c.organization_id = o.id and c.deleted_at is null and c.expires_at > p_now
    join service_accounts a on a.organization_id = c.organization_id and a.id = c.service_account_id
   cross join lateral (select keyturn.revoked_before(a, o)) r (revoked_before)
   where o.id = p_organization_id and a.id <> all (p_exempt_service_account_ids)
$$;
