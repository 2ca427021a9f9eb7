-- Says that somebody tells events to a webhook, for so long from now on. Nothing is written when that was said within the
-- last day.
create or replace function keyturn.want_events(p_for interval)
returns void
language sql volatile security definer
set search_path = keyturn, pg_temp
as $$
  insert into event_delivery as known (wanted_until) values (clock_timestamp() + p_for)
      on conflict (is_only) do update set wanted_until = excluded.wanted_until
   where known.wanted_until < excluded.wanted_until - interval '1 day'
$$;
