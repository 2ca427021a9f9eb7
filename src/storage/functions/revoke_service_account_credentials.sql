-- The kill switch for one service account: every credential that exists now is revoked, by one row. Those of the very
-- millisecond are meant too, so that it lies one after; a credential that is created later is not created before it.
create or replace function keyturn.revoke_service_account_credentials(
  p_caller keyturn.caller, p_service_account_id text,
  out outcome text, out facts jsonb
)
language plpgsql volatile security definer
set search_path = keyturn, pg_temp
as $$
declare
  locked record := lock_service_account(p_caller, p_service_account_id);
  revoked_before_ timestamptz;
  live integer;
begin
  outcome := coalesce(locked.refusal, 'done');
  if outcome = 'done' then
    revoked_before_ := creation_instant(locked.account, locked.organization, locked.now_ + interval '1 millisecond');
    select count(*) into live
      from credential_states(p_caller.organization_id, p_service_account_id, locked.now_) s where s.is_live;
    facts := jsonb_build_object('revoked_before', revoked_before_, 'revoked_credential_count', live);
    if not p_caller.validate_only then
      update service_accounts set credentials_revoked_before = revoked_before_
       where organization_id = p_caller.organization_id and id = p_service_account_id;
    end if;
  end if;
  perform record_outcome(p_caller, locked.account, p_service_account_id, null, 'credential.revoke_all', outcome,
                         facts, '{}');
end
$$;
