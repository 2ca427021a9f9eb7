-- The answer to a request that was made before, if it was: `replayed` with the credential, and with its sealed secret
-- while it may be shown again, which is ten minutes and until the first use, to who may create it still. Another request under the same id is
-- refused. The caller holds the account's lock, so that two repetitions never run side by side.
create or replace function keyturn.find_replay(
  p_caller keyturn.caller, p_account keyturn.service_accounts, p_now timestamptz, p_claim keyturn.replay_claim,
  out outcome text, out facts jsonb
)
language plpgsql volatile
as $$
declare
  replay keyturn.replays;
  credential record;
  replaced record;
begin
  if p_claim.request_hash is null or p_caller.validate_only then return; end if;
  select * into replay from keyturn.replays
   where organization_id = p_caller.organization_id and request_hash = p_claim.request_hash;
  if not found then return; end if;
  if replay.body_hash <> p_claim.body_hash then outcome := 'request_id_reused'; return; end if;

  select * into credential
    from keyturn.credential_states(p_account.organization_id, p_account.id, p_now) s
   where s.id = replay.credential_id;
  if not found then outcome := 'not_found'; facts := jsonb_build_object('credential_id', replay.credential_id); return; end if;
  select * into replaced
    from keyturn.credential_states(p_account.organization_id, p_account.id, p_now) s
   where s.id = replay.replaced_credential_id;

  outcome := 'replayed';
  facts := jsonb_build_object('credential', to_jsonb(credential), 'replaced', to_jsonb(replaced));
  -- A clock that was set back must not make it longer, nor must a role that the caller has lost in between.
  if p_now - replay.created_at between interval '-1 minute' and interval '10 minutes'
     and credential.last_used_at is null and keyturn.judge_roles(p_caller, p_account.roles) is null then
    facts := facts || jsonb_build_object('sealed_secret', encode(replay.sealed_secret, 'base64'));
  end if;
end
$$;
