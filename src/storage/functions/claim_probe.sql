-- Takes the one event that is due by which to see whether a receiver that has failed accepts again, and holds it as
-- claim_events does. It is the one that was sent least often, and the newest of those: it has had the least to do with the
-- failure, while those over which a receiver fails are due again and again. Reads whatever is due, which is little beside
-- the pause before.
create or replace function keyturn.claim_probe(p_hold interval)
returns setof keyturn.events
language sql volatile security definer
set search_path = keyturn, pg_temp
as $$
  update events set due_at = clock_timestamp() + p_hold, attempts = attempts + 1
   where ctid = any (array(select e.ctid from events e where e.due_at <= statement_timestamp()
                            order by e.attempts, e.due_at desc limit 1 for update skip locked))
  returning *
$$;
