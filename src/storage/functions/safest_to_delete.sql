-- The active credential that is least likely to be missed: never used, else least recently used, else oldest.
create or replace function keyturn.safest_to_delete(
  p_organization_id text,
  p_service_account_id text,
  p_now timestamptz
)
returns text
language sql stable
set search_path = keyturn, pg_temp
as $$
  select c.id
    from credentials c
    left join credential_usage u
      on u.organization_id = c.organization_id
     and u.service_account_id = c.service_account_id
     and u.credential_id = c.id
   where c.organization_id = p_organization_id
     and c.service_account_id = p_service_account_id
     and c.expires_at > p_now
   order by u.last_used_at nulls first, c.created_at, c.id
   limit 1
$$;
