-- The policy that holds for an organization: its own values, within the server's bounds, which come with each call. An
-- organization that nobody has heard of yet has the server's.
create or replace function keyturn.effective_policy(
  p_organization_id text,
  p_bounds keyturn.policy_bounds,
  out default_lifetime_seconds integer,
  out min_lifetime_seconds integer,
  out max_lifetime_seconds integer,
  out active_credentials_max integer,
  out credential_creation text
)
language sql stable
set search_path = keyturn, pg_temp
as $$
  select coalesce(o.default_lifetime_seconds, p_bounds.default_lifetime_seconds),
         greatest(o.min_lifetime_seconds, p_bounds.min_lifetime_seconds),
         least(o.max_lifetime_seconds, p_bounds.max_lifetime_seconds),
         least(o.active_credentials_max, p_bounds.active_credentials_max),
         coalesce(o.credential_creation, 'allowed')
    from (select) one left join organizations o on o.id = p_organization_id
$$;
