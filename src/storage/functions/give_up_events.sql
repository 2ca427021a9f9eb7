-- Takes away events that nobody has accepted for so long, a few at a time, so that the queues end somewhere. The oldest of a
-- queue is its first, which is the one that is due.
create or replace function keyturn.give_up_events(p_age interval, p_rows_max integer)
returns integer
language plpgsql volatile security definer
set search_path = keyturn, pg_temp
as $$
declare
  first_ events;
  given_up integer;
  total integer := 0;
begin
  for first_ in
    select * from events where due_at is not null and occurred_at < statement_timestamp() - p_age
     limit p_rows_max for update skip locked
  loop
    delete from events
     where organization_id = first_.organization_id and service_account_uid = first_.service_account_uid
       and sequence = any (array(
             select e.sequence from events e
              where e.organization_id = first_.organization_id and e.service_account_uid = first_.service_account_uid
                and e.occurred_at < statement_timestamp() - p_age
              order by e.sequence limit p_rows_max - total));
    get diagnostics given_up = row_count;
    total := total + given_up;
    perform promote_event(first_.organization_id, first_.service_account_uid, null);
    exit when total >= p_rows_max;
  end loop;
  return total;
end
$$;
