-- Tells of right secrets that were refused, each credential once an hour at most, with what has come together since. What is
-- older than a day is news to nobody. Waits for no lock: what somebody holds is told the next time. Gives how many were told.
create or replace function keyturn.tell_refused_uses(p_rows_max integer)
returns integer
language plpgsql volatile security definer
set search_path = keyturn, pg_temp
as $$
declare
  refused credential_usage;
  account service_accounts;
  told integer := 0;
begin
  for refused in
    select * from credential_usage u
     where u.last_refused_at > coalesce(u.refused_told_at, '-infinity')
       and u.last_refused_at > statement_timestamp() - interval '1 day'
       and coalesce(u.refused_told_at, '-infinity') < statement_timestamp() - interval '1 hour'
     order by u.last_refused_at limit p_rows_max for update of u skip locked
  loop
    select * into account from service_accounts
     where organization_id = refused.organization_id and id = refused.service_account_id
       for no key update skip locked;
    continue when not found;
    update credential_usage set refused_told_at = refused.last_refused_at
     where organization_id = refused.organization_id and service_account_id = refused.service_account_id
       and credential_id = refused.credential_id;
    perform append_event(refused.organization_id, account.uid, account.id, refused.credential_id, 'credential.refused_use',
      jsonb_build_object('reason', refused.last_refused_reason, 'last_refused_at', refused.last_refused_at,
                         'refused_count', refused.refused_count, 'last_refused_ip', host(refused.last_refused_ip),
                         'last_refused_user_agent', refused.last_refused_user_agent));
    told := told + 1;
  end loop;
  return told;
end
$$;
