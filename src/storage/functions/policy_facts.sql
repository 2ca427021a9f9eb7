-- The policy that holds, with an organization's own values in place of those that are stored.
create or replace function keyturn.policy_facts(p_organization keyturn.organizations, p_bounds keyturn.policy_bounds)
returns jsonb
language sql stable
set search_path = keyturn, pg_temp
as $$
  select jsonb_build_object('policy', jsonb_build_object(
    'default_lifetime_seconds', least(greatest(
        coalesce(p_organization.default_lifetime_seconds, p_bounds.default_lifetime_seconds),
        p_organization.min_lifetime_seconds, p_bounds.min_lifetime_seconds),
      p_organization.max_lifetime_seconds, p_bounds.max_lifetime_seconds),
    'min_lifetime_seconds', greatest(p_organization.min_lifetime_seconds, p_bounds.min_lifetime_seconds),
    'max_lifetime_seconds', least(p_organization.max_lifetime_seconds, p_bounds.max_lifetime_seconds),
    'active_credentials_max', least(p_organization.active_credentials_max, p_bounds.active_credentials_max),
    'credential_creation', coalesce(p_organization.credential_creation, 'allowed'),
    'updated_at', p_organization.policy_updated_at,
    'etag', policy_etag(p_organization)))
$$;
