-- Issues a credential, or says why not: lock, look, decide, write, record. One statement, so one round trip and no
-- transaction of the driver's (docs/adr/0003).
create or replace function keyturn.create_credential(
  p_caller keyturn.caller, p_bounds keyturn.policy_bounds, p_service_account_id text,
  p_new keyturn.new_credential, p_claim keyturn.replay_claim,
  out outcome text, out facts jsonb
)
language plpgsql volatile security definer
set search_path = keyturn, pg_temp
as $$
declare
  locked record := lock_service_account(p_caller, p_service_account_id);
begin
  outcome := locked.refusal;
  if outcome is null then
    select f.outcome, f.facts into outcome, facts from find_replay(p_caller, locked.account, locked.now_, p_claim) f;
  end if;
  if outcome is null then
    select i.outcome, i.facts into outcome, facts
      from issue_credential(p_caller, p_bounds, locked.account, locked.organization, locked.now_, p_new, p_claim, null, false) i;
  end if;
  perform record_outcome(p_caller, locked.account, p_service_account_id, facts #>> '{credential,id}',
                         'credential.create', outcome, facts, '{}');
end
$$;
