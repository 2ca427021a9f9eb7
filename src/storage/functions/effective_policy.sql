-- The policy that holds for an organization: its own values, within the server's bounds, which come with each call.
create or replace function keyturn.effective_policy(
  p_organization keyturn.organizations,
  p_bounds keyturn.policy_bounds,
  out default_lifetime_seconds integer,
  out min_lifetime_seconds integer,
  out max_lifetime_seconds integer,
  out active_credentials_max integer,
  out credential_creation text
)
language plpgsql immutable
as $$
begin
  default_lifetime_seconds := coalesce(p_organization.default_lifetime_seconds, p_bounds.default_lifetime_seconds);
  min_lifetime_seconds := greatest(p_organization.min_lifetime_seconds, p_bounds.min_lifetime_seconds);
  max_lifetime_seconds := least(p_organization.max_lifetime_seconds, p_bounds.max_lifetime_seconds);
  active_credentials_max := least(p_organization.active_credentials_max, p_bounds.active_credentials_max);
  credential_creation := coalesce(p_organization.credential_creation, 'allowed');
end
$$;
