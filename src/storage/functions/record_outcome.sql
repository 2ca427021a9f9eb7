-- Records what became of a call: done or refused, both stand in the trail. What wrote nothing and refused nothing does
-- not: a dry run, the answer to a repetition, a caller whose time was over.
create or replace function keyturn.record_outcome(
  p_caller keyturn.caller, p_account keyturn.service_accounts, p_service_account_id text, p_credential_id text,
  p_action text, p_outcome text, p_details jsonb
)
returns void
language plpgsql volatile
set search_path = keyturn, pg_temp
as $$
begin
  if p_caller.validate_only or p_outcome in ('replayed', 'deadline_exceeded') then return; end if;
  perform append_audit_event(p_caller, p_account.uid, coalesce(p_account.id, p_service_account_id), p_credential_id,
                             p_action, case p_outcome when 'done' then 'succeeded' else p_outcome end, p_details);
end
$$;
