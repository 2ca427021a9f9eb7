-- Takes the lock by which everything that happens to a service account is ordered, and reads the clock once it is held:
-- time passes while waiting. Says `deadline_exceeded` when so much has passed that nobody waits for the answer.
--
-- The organization is not locked, so that it is read here, once, behind the clock: what is decided by its policy is also
-- ordered by its kill switch as it stood then. Whatever is revoked after this policy was changed is revoked later than
-- `now_` (docs/adr/0014).
create or replace function keyturn.lock_service_account(
  p_caller keyturn.caller, p_service_account_id text,
  out account keyturn.service_accounts, out now_ timestamptz, out organization keyturn.organizations, out refusal text
)
language plpgsql volatile
as $$
begin
  select * into account from keyturn.service_accounts
   where organization_id = p_caller.organization_id and id = p_service_account_id
     for no key update;
  refusal := case when not found then 'not_found' when keyturn.is_late(p_caller) then 'deadline_exceeded' end;
  now_ := date_trunc('milliseconds', clock_timestamp());
  select * into organization from keyturn.organizations where id = p_caller.organization_id;
end
$$;
