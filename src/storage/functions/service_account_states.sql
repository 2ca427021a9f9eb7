-- The service accounts of an organization as they stand at an instant. See account_credential_states for why it looks as it does.
create or replace function keyturn.service_account_states(p_organization_id text, p_now timestamptz)
returns setof keyturn.service_account_state
language sql stable
as $$
  select a.id, a.uid, a.display_name, a.description, a.id || '@' || a.organization_id || '.iam', a.scope, a.scope_id,
         to_jsonb(a.roles), a.status, a.created_by, a.created_at, a.updated_at,
         (select count(*) from keyturn.credentials c
           where c.organization_id = a.organization_id and c.service_account_id = a.id and c.deleted_at is null
             and c.expires_at > p_now and c.leaked_at is null and c.created_at >= coalesce(r.revoked_before, '-infinity')),
         keyturn.etag_of(a.uid::text, a.revision::text),
         r.revoked_before
    from keyturn.service_accounts a
    join keyturn.organizations o on o.id = a.organization_id
   cross join lateral (select keyturn.revoked_before(a, o)) r (revoked_before)
   where a.organization_id = p_organization_id
$$;
