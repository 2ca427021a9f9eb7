-- Issues a credential in the place of a live one, whose end it brings forward to the end of the grace period. With none,
-- the one goes as the other comes, so that it works at the limit too.
create or replace function keyturn.rotate_credential(
  p_caller keyturn.caller, p_bounds keyturn.policy_bounds, p_service_account_id text, p_id text, p_etag text,
  p_grace_period interval, p_new keyturn.new_credential, p_claim keyturn.replay_claim,
  out outcome text, out facts jsonb
)
language plpgsql volatile security definer
set search_path = keyturn, pg_temp
as $$
declare
  locked record := lock_service_account(p_caller, p_service_account_id);
  old record;
  answer record;
  new_ new_credential := p_new;
  ends_at timestamptz := locked.now_ + p_grace_period;
begin
  outcome := locked.refusal;
  if outcome is null and p_claim.request_hash is not null then
    answer := find_replay(p_caller, locked.account, locked.now_, p_claim);
    outcome := answer.outcome; facts := answer.facts;
  end if;
  if outcome is null then
    select * into old from credential_states(p_caller.organization_id, p_service_account_id, locked.now_) s
     where s.id = p_id;
    if not found then outcome := 'not_found'; facts := jsonb_build_object('credential_id', p_id);
    elsif old.etag <> p_etag then outcome := 'etag_mismatch';
    elsif not old.is_live then outcome := 'credential_not_active'; facts := jsonb_build_object('status', old.status);
    elsif ends_at > old.expires_at then
      outcome := 'grace_period_above_maximum'; facts := jsonb_build_object('latest', old.expires_at);
    end if;
  end if;
  if outcome is null then
    new_.display_name := old.display_name;
    new_.labels := old.labels;
    new_.allowed_cidrs := array(select jsonb_array_elements_text(old.allowed_cidrs))::cidr[];
    answer := issue_credential(p_caller, p_bounds, locked.account, locked.organization, locked.now_, new_, p_claim, p_id,
                               p_grace_period = interval '0');
    outcome := answer.outcome; facts := answer.facts;
    if outcome = 'done' then
      facts := facts || retire_credential(p_caller, locked.account, locked.now_, p_id, ends_at)
                     || jsonb_build_object('replaced_credential_id', p_id, 'replaced_expires_at', ends_at);
    end if;
  end if;
  perform record_outcome(p_caller, locked.account, p_service_account_id, coalesce(facts #>> '{credential,id}', p_id),
                         'credential.rotate', outcome, facts, '{}');
end
$$;
