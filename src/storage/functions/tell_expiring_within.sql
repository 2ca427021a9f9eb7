-- The part of tell_expiring_credentials for one number of days: of credentials that expire up to `p_until`, from where it
-- was told last, it tells of those that expire after `p_after` and hold. Each is looked at under its account's lock; where
-- that is held by somebody, the rest is left for the next time, so that nobody ever waits for this.
create or replace function keyturn.tell_expiring_within(
  p_days_left integer, p_after timestamptz, p_until timestamptz, p_rows_max integer
)
returns integer
language plpgsql volatile
as $$
declare
  notice keyturn.expiry_notices := (select n from keyturn.expiry_notices n where n.days_left = p_days_left);
  candidate keyturn.credentials;
  account keyturn.service_accounts;
  looked_at integer := 0;
  is_done boolean := true;
begin
  for candidate in
    select * from keyturn.credentials c
     where c.deleted_at is null and c.expires_at >= notice.told_expires_at and c.expires_at <= p_until
       and (c.expires_at, c.id) > (notice.told_expires_at, notice.told_credential_id)
     order by c.expires_at, c.id limit p_rows_max
  loop
    select * into account from keyturn.service_accounts
     where organization_id = candidate.organization_id and id = candidate.service_account_id
       for no key update skip locked;
    is_done := found;
    exit when not found;
    perform keyturn.append_event(
              s.organization_id_, account.uid, account.id, s.id, 'credential.expiring', jsonb_build_object(
              'expires_at', s.expires_at, 'days_left', p_days_left, 'display_name', s.display_name,
              'last_used_at', s.last_used_at))
       from (select candidate.organization_id as organization_id_, s.*
               from keyturn.credential_states(candidate.organization_id, account.id, statement_timestamp()) s
              where s.id = candidate.id) s
      where s.is_live and s.expires_at > p_after and s.created_at < s.expires_at - make_interval(days => p_days_left);
    notice.told_expires_at := candidate.expires_at;
    notice.told_credential_id := candidate.id;
    looked_at := looked_at + 1;
  end loop;
  if is_done and looked_at < p_rows_max and notice.told_expires_at <= p_until then
    notice.told_expires_at := p_until + interval '1 millisecond';
    notice.told_credential_id := '';
  end if;
  update keyturn.expiry_notices
     set told_expires_at = notice.told_expires_at, told_credential_id = notice.told_credential_id
   where days_left = p_days_left;
  return looked_at;
end
$$;
