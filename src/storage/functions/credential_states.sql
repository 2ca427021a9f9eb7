-- The credentials of a service account as they stand at an instant: what callers see of them, and never the hash. The one
-- place that knows what active means. Without a search path of its own, so that the planner sees through it: a condition
-- on a column reaches the index (docs/adr/0010).
create or replace function keyturn.credential_states(
  p_organization_id text, p_service_account_id text, p_now timestamptz
)
returns table (
  id text, uid uuid, service_account_id text, service_account_uid uuid, status text, expires_at timestamptz,
  created_by text, created_at timestamptz, last_used_at timestamptz, last_used_ip inet, display_name text, labels jsonb,
  not_before timestamptz, hint text, etag text, allowed_cidrs jsonb, last_used_user_agent text, use_count bigint,
  -- Counts against the limit: neither expired nor revoked.
  is_live boolean
)
language sql stable
as $$
  select c.id, c.uid, c.service_account_id, a.uid,
         case when c.created_at < r.revoked_before then 'revoked'
              when c.expires_at <= p_now then 'expired'
              when c.not_before > p_now then 'pending'
              else 'active' end,
         c.expires_at, c.created_by, c.created_at, u.last_used_at, u.last_used_ip, c.display_name, c.labels,
         c.not_before, c.hint,
         keyturn.etag_of(c.uid::text, extract(epoch from c.expires_at)::text, (c.created_at < r.revoked_before)::text),
         to_jsonb(c.allowed_cidrs::text[]), u.last_used_user_agent, u.use_count,
         c.expires_at > p_now and c.created_at >= coalesce(r.revoked_before, '-infinity')
    from keyturn.service_accounts a
    join keyturn.organizations o on o.id = a.organization_id
   cross join lateral (select greatest(a.credentials_revoked_before,
           case when o.revocation_exemptions ? a.uid::text then (o.revocation_exemptions ->> a.uid::text)::timestamptz
                else o.credentials_revoked_before end) as revoked_before) r
    join keyturn.credentials c
      on c.organization_id = a.organization_id and c.service_account_id = a.id and c.deleted_at is null
    left join keyturn.credential_usage u
      on u.organization_id = c.organization_id and u.service_account_id = c.service_account_id and u.credential_id = c.id
   where a.organization_id = p_organization_id and a.id = p_service_account_id
$$;
