-- Records what became of a call: done or refused, both stand in the trail, and what was done is told to the webhook. What
-- wrote nothing and refused nothing is neither: a dry run, the answer to a repetition, a caller whose time was over. The
-- trail has the facts of the answer as words, and what is in `p_details` beside them.
create or replace function keyturn.record_outcome(
  p_caller keyturn.caller, p_account keyturn.service_accounts, p_service_account_id text, p_credential_id text,
  p_action text, p_outcome text, p_facts jsonb, p_details jsonb
)
returns void
language plpgsql volatile
as $$
declare
  account_id text := coalesce(p_account.id, p_service_account_id);
begin
  if p_caller.validate_only or p_outcome in ('replayed', 'deadline_exceeded') then return; end if;
  perform keyturn.append_audit_event(p_caller, p_account.uid, account_id, p_credential_id, p_action,
                                     case p_outcome when 'done' then 'succeeded' else p_outcome end,
                                     keyturn.details_of(p_facts) || p_details);
  -- Looked at here too, so that what nobody wants is not put together.
  if p_outcome = 'done' and exists (select from keyturn.event_delivery where wanted_until > clock_timestamp()) then
    perform keyturn.append_event(p_caller.organization_id, p_account.uid, account_id, p_credential_id,
                                 keyturn.event_type(p_action), keyturn.event_data(p_caller, p_facts, p_details));
  end if;
end
$$;
