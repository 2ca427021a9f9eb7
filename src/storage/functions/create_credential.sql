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
  answer record;
begin
  outcome := locked.refusal;
  -- Asked of a claim only: a call costs more than most of what it would find out.
  if outcome is null and p_claim.request_hash is not null then
    answer := find_replay(p_caller, locked.account, locked.now_, p_claim);
    outcome := answer.outcome; facts := answer.facts;
  end if;
  if outcome is null then
    answer := issue_credential(p_caller, p_bounds, locked.account, locked.organization, locked.now_, p_new, p_claim, null, false);
    outcome := answer.outcome; facts := answer.facts;
  end if;
  perform record_outcome(p_caller, locked.account, p_service_account_id, facts #>> '{credential,id}',
                         'credential.create', outcome, facts, '{}');
end
$$;
