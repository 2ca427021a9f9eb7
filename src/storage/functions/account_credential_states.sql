-- The credentials of a service account as they stand at an instant: what callers see of them, and never the hash. The one
-- place that knows what active means, for whoever knows before which instant they are revoked. `is_live` says what counts
-- against the limit: neither expired nor revoked.
--
-- Without a search path of its own, so that the planner sees through it: a condition on a column reaches the index. Its
-- rows have a type of their own, whose instants have the precision of the columns: in a type without it they would be
-- other expressions than those that the indexes are in the order of.
create or replace function keyturn.account_credential_states(
  p_organization_id text, p_service_account_id text, p_service_account_uid uuid, p_revoked_before timestamptz,
  p_now timestamptz
)
returns setof keyturn.credential_state
language sql stable
as $$
  select c.id, c.uid, c.service_account_id, p_service_account_uid,
         case when c.created_at < p_revoked_before or c.leaked_at is not null then 'revoked'
              when c.expires_at <= p_now then 'expired'
              when c.not_before > p_now then 'pending'
              else 'active' end,
         c.expires_at, c.created_by, c.created_at, u.last_used_at, u.last_used_ip, c.display_name, c.labels,
         c.not_before, c.hint,
         keyturn.etag_of(c.uid::text, extract(epoch from c.expires_at)::text,
                         (c.created_at < p_revoked_before or c.leaked_at is not null)::text),
         c.expires_at > p_now and c.leaked_at is null and (c.created_at < p_revoked_before) is not true,
         to_jsonb(c.allowed_cidrs::text[]), u.last_used_user_agent, nullif(u.use_count, 0)
    from keyturn.credentials c
    left join keyturn.credential_usage u
      on u.organization_id = c.organization_id and u.service_account_id = c.service_account_id and u.credential_id = c.id
   where c.organization_id = p_organization_id and c.service_account_id = p_service_account_id and c.deleted_at is null
$$;
