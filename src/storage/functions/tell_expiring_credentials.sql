-- Tells of credentials that come to have 30, 14, 7 or 1 days left, each once, whichever server asks and however often: for
-- every number of days it is kept up to which credential it has been told, in the order of their expiry. One minute behind
-- the clock, so that what is being created at this moment is not passed over. Who has little time from the start is not
-- told of it, and of several numbers that were passed while nobody told, the last counts. Gives how many were looked at.
create or replace function keyturn.tell_expiring_credentials(p_rows_max integer)
returns integer
language plpgsql volatile security definer
set search_path = keyturn, pg_temp
as $$
declare
  as_of timestamptz := date_trunc('milliseconds', statement_timestamp()) - interval '1 minute';
  notice record;
  looked_at integer := 0;
begin
  insert into expiry_notices (days_left, told_expires_at)
  select d, as_of + make_interval(days => d) from unnest(array[1, 7, 14, 30]) d on conflict do nothing;
  for notice in
    select n.days_left, (select max(m.days_left) from expiry_notices m where m.days_left < n.days_left) as later_days_left
      from expiry_notices n order by n.days_left for update of n skip locked
  loop
    looked_at := looked_at + tell_expiring_within(
      notice.days_left, coalesce(as_of + make_interval(days => notice.later_days_left), statement_timestamp()),
      as_of + make_interval(days => notice.days_left), p_rows_max);
  end loop;
  return looked_at;
end
$$;
