-- Takes up to so many queues whose first event is due, and holds each for a while: nobody else sends it meanwhile, and
-- somebody does when whoever took it never comes back. Beside whoever else does so.
create or replace function keyturn.claim_events(p_rows_max integer, p_hold interval)
returns setof keyturn.events
language sql volatile security definer
set search_path = keyturn, pg_temp
as $$
  update events set due_at = clock_timestamp() + p_hold, attempts = attempts + 1
   where ctid = any (array(select e.ctid from events e where e.due_at <= statement_timestamp()
                            order by e.due_at limit p_rows_max for update skip locked))
  returning *
$$;
