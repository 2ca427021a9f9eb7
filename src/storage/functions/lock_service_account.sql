-- Takes the lock by which everything that happens to a service account is ordered, and reads the clock once it is held:
-- time passes while waiting. Says `deadline_exceeded` when so much has passed that nobody waits for the answer.
create or replace function keyturn.lock_service_account(
  p_caller keyturn.caller, p_service_account_id text,
  out account keyturn.service_accounts, out now_ timestamptz, out refusal text
)
language plpgsql volatile
set search_path = keyturn, pg_temp
as $$
begin
  select * into account from service_accounts
   where organization_id = p_caller.organization_id and id = p_service_account_id
     for no key update;
  refusal := case when not found then 'not_found' when is_late(p_caller) then 'deadline_exceeded' end;
  now_ := date_trunc('milliseconds', clock_timestamp());
end
$$;
