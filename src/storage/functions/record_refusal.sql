-- Records a call that was refused before anything was looked up, in the chain of the organization.
create or replace function keyturn.record_refusal(
  p_caller keyturn.caller, p_action text, p_outcome text, p_service_account_id text, p_credential_id text
)
returns void
language sql volatile security definer
set search_path = keyturn, pg_temp
as $$
  select append_audit_event(p_caller, null, p_service_account_id, p_credential_id, p_action, p_outcome, null)
$$;
