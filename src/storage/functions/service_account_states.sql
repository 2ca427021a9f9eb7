-- The service accounts of an organization as they stand at an instant. See credential_states for why it looks as it does.
create or replace function keyturn.service_account_states(p_organization_id text, p_now timestamptz)
returns table (
  id text, uid uuid, display_name text, description text, client_id text, scope text, scope_id text, roles jsonb,
  status text, created_by text, created_at timestamptz, updated_at timestamptz, active_credential_count bigint,
  etag text, credentials_revoked_before timestamptz
)
language sql stable
as $$
  select a.id, a.uid, a.display_name, a.description, a.id || '@' || a.organization_id || '.iam', a.scope, a.scope_id,
         to_jsonb(a.roles), a.status, a.created_by, a.created_at, a.updated_at,
         (select count(*) from keyturn.credentials c
           where c.organization_id = a.organization_id and c.service_account_id = a.id and c.deleted_at is null
             and c.expires_at > p_now and c.created_at >= coalesce(r.revoked_before, '-infinity')),
         keyturn.etag_of(a.uid::text, a.revision::text),
         r.revoked_before
    from keyturn.service_accounts a
    join keyturn.organizations o on o.id = a.organization_id
   cross join lateral (select greatest(a.credentials_revoked_before,
           case when o.revocation_exemptions ? a.uid::text then (o.revocation_exemptions ->> a.uid::text)::timestamptz
                else o.credentials_revoked_before end) as revoked_before) r
   where a.organization_id = p_organization_id
$$;
