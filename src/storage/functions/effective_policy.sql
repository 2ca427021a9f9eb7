-- The policy that holds for an organization: its own values, within the server's bounds, which come with each call.
create or replace function keyturn.effective_policy(
  p_organization_id text,
  p_default_lifetime_seconds integer,
  p_min_lifetime_seconds integer,
  p_max_lifetime_seconds integer,
  p_active_credentials_max integer,
  out default_lifetime_seconds integer,
  out min_lifetime_seconds integer,
  out max_lifetime_seconds integer,
  out active_credentials_max integer
)
language sql stable
set search_path = keyturn, pg_temp
as $$
  select coalesce(o.default_lifetime_seconds, p_default_lifetime_seconds),
         greatest(o.min_lifetime_seconds, p_min_lifetime_seconds),
         least(o.max_lifetime_seconds, p_max_lifetime_seconds),
         least(o.active_credentials_max, p_active_credentials_max)
    from organizations o
   where o.id = p_organization_id
$$;
