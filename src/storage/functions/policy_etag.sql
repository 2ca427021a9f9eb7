-- The etag of an organization's policy; also of one that nobody has heard of yet.
create or replace function keyturn.policy_etag(p_organization keyturn.organizations)
returns text
language sql immutable
set search_path = keyturn, pg_temp
as $$
  select etag_of('policy', coalesce(p_organization.policy_revision, 0)::text)
$$;
