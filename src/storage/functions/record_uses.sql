-- Writes down uses and refused uses, one element a credential. The newest wins, whichever replica saw it, and counts add up.
-- A credential that is being deleted at this moment is passed over rather than waited for, and each is locked in order, so
-- that nothing ever waits in a circle. Each is looked up by its key: a lock within a subquery keeps the planner from any
-- other way, such as one that reads all credentials.
create or replace function keyturn.record_uses(p_uses jsonb)
returns void
language sql volatile security definer
set search_path = keyturn, pg_temp
as $$
  with use as (
    select u.* from jsonb_to_recordset(p_uses) as u (
      organization_id text, service_account_id text, credential_id text, used_at timestamptz, used_ip inet,
      used_user_agent text, use_count bigint, refused_at timestamptz, refused_reason text, refused_ip inet,
      refused_user_agent text, refused_count bigint)
     order by organization_id, service_account_id, credential_id
  ), held as (
    select u.* from use u
     cross join lateral (
       select from credentials c
        where c.organization_id = u.organization_id and c.service_account_id = u.service_account_id
          and c.id = u.credential_id
          for key share skip locked) c
  )
  insert into credential_usage as old (
    organization_id, service_account_id, credential_id, last_used_at, last_used_ip, last_used_user_agent, use_count,
    last_refused_at, last_refused_reason, last_refused_ip, last_refused_user_agent, refused_count)
  select organization_id, service_account_id, credential_id, used_at, used_ip, used_user_agent, use_count,
         refused_at, refused_reason, refused_ip, refused_user_agent, refused_count
    from held
      on conflict (organization_id, service_account_id, credential_id) do update
     set last_used_at = greatest(old.last_used_at, excluded.last_used_at),
         last_used_ip = case when excluded.last_used_at >= coalesce(old.last_used_at, '-infinity')
                             then excluded.last_used_ip else old.last_used_ip end,
         last_used_user_agent = case when excluded.last_used_at >= coalesce(old.last_used_at, '-infinity')
                                     then excluded.last_used_user_agent else old.last_used_user_agent end,
         use_count = old.use_count + excluded.use_count,
         last_refused_at = greatest(old.last_refused_at, excluded.last_refused_at),
         last_refused_reason = case when excluded.last_refused_at >= coalesce(old.last_refused_at, '-infinity')
                                    then excluded.last_refused_reason else old.last_refused_reason end,
         last_refused_ip = case when excluded.last_refused_at >= coalesce(old.last_refused_at, '-infinity')
                                then excluded.last_refused_ip else old.last_refused_ip end,
         last_refused_user_agent = case when excluded.last_refused_at >= coalesce(old.last_refused_at, '-infinity')
                                        then excluded.last_refused_user_agent else old.last_refused_user_agent end,
         refused_count = old.refused_count + excluded.refused_count
$$;
