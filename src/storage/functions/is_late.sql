-- Whether the caller's time is over, so that nothing more may be written for him.
create or replace function keyturn.is_late(p_caller keyturn.caller)
returns boolean
language sql volatile
as $$
  select clock_timestamp() >= statement_timestamp() + make_interval(secs => p_caller.budget_ms / 1000.0)
$$;
