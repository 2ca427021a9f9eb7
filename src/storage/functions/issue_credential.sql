-- Writes a new credential, once every rule is kept, or says which one is not. The caller of this function holds the
-- account's lock and has read the clock and then the organization since. `p_replacing` is the credential that this one takes the place of, and
-- `p_retiring` says that it ends now, which makes room for this one.
create or replace function keyturn.issue_credential(
  p_caller keyturn.caller, p_bounds keyturn.policy_bounds, p_account keyturn.service_accounts,
  p_organization keyturn.organizations, p_now timestamptz, p_new keyturn.new_credential, p_claim keyturn.replay_claim,
  p_replacing text, p_retiring boolean,
  out outcome text, out facts jsonb
)
language plpgsql volatile
as $$
declare
  policy record := keyturn.effective_policy(p_organization, p_bounds);
  expiry record := keyturn.judge_expiry(p_now, p_new.expires_at, policy.default_lifetime_seconds,
                                        policy.min_lifetime_seconds, policy.max_lifetime_seconds);
  not_before_ timestamptz := case when p_new.not_before > p_now then p_new.not_before end;
  verdict record;
  created_at_ timestamptz;
begin
  if expiry.verdict <> 'allowed' then
    outcome := expiry.verdict;
    facts := jsonb_build_object('bound', expiry.bound, 'bound_seconds', expiry.bound_seconds);
  elsif not_before_ >= expiry.expires_at then
    outcome := 'not_before_after_expiry'; facts := jsonb_build_object('expires_at', expiry.expires_at);
  else
    verdict := keyturn.judge_creation(p_caller, p_account, p_now, policy.credential_creation,
                                      policy.active_credentials_max, case when p_retiring then p_replacing end);
    outcome := verdict.outcome; facts := verdict.facts;
  end if;
  if outcome <> 'allowed' then return; end if;

  created_at_ := keyturn.creation_instant(p_account, p_organization, p_now);
  if p_caller.validate_only then
    outcome := 'done';
    facts := jsonb_build_object('credential', jsonb_build_object(
      'service_account_id', p_account.id, 'created_by', p_caller.subject, 'created_at', created_at_,
      'expires_at', expiry.expires_at, 'not_before', not_before_, 'display_name', p_new.display_name,
      'labels', p_new.labels, 'allowed_cidrs', p_new.allowed_cidrs, 'status', case when not_before_ is null then 'active' else 'pending' end));
    return;
  end if;
  if p_claim.request_hash is not null
     and not keyturn.claim_replay(p_account, p_now, p_claim, p_new.id, p_replacing) then
    outcome := 'request_id_reused'; return;
  end if;
  insert into keyturn.credentials (organization_id, service_account_id, id, secret_hash, hint, created_by, created_at,
                                   expires_at, not_before, display_name, labels, allowed_cidrs)
  values (p_account.organization_id, p_account.id, p_new.id, p_new.secret_hash, p_new.hint, p_caller.subject, created_at_,
          expiry.expires_at, not_before_, p_new.display_name, coalesce(p_new.labels, '{}'), coalesce(p_new.allowed_cidrs, '{}'));
  outcome := 'done';
  select jsonb_build_object('credential', to_jsonb(s)) into facts
    from keyturn.organizations o
   cross join lateral keyturn.account_credential_states(
        p_account.organization_id, p_account.id, p_account.uid, keyturn.revoked_before(p_account, o), p_now) s
   where o.id = p_account.organization_id and s.id = p_new.id;
end
$$;
