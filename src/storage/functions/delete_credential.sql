-- Deletes a credential, or says what would be lost with it. The row stays behind as a tombstone that no caller sees.
create or replace function keyturn.delete_credential(
  p_caller keyturn.caller, p_service_account_id text, p_id text, p_etag text,
  out outcome text, out facts jsonb
)
language plpgsql volatile security definer
set search_path = keyturn, pg_temp
as $$
declare
  locked record := lock_service_account(p_caller, p_service_account_id);
  doomed record;
  remaining integer;
begin
  outcome := locked.refusal;
  if outcome is null then
    select * into doomed from credential_states(p_caller.organization_id, p_service_account_id, locked.now_) s
     where s.id = p_id;
    if not found then outcome := 'not_found'; facts := jsonb_build_object('credential_id', p_id);
    elsif doomed.etag <> p_etag then outcome := 'etag_mismatch';
    end if;
  end if;
  if outcome is null then
    select count(*) into remaining from credential_states(p_caller.organization_id, p_service_account_id, locked.now_) s
     where s.is_live and s.id <> p_id;
    outcome := 'done';
    facts := jsonb_build_object('last_used_at', doomed.last_used_at, 'remaining_active_count', remaining,
                                'last_active', doomed.is_live and remaining = 0);
    if not p_caller.validate_only then
      update credentials set deleted_at = locked.now_
       where organization_id = p_caller.organization_id and service_account_id = p_service_account_id and id = p_id;
      update replays set sealed_secret = null
       where organization_id = p_caller.organization_id and service_account_id = p_service_account_id
         and credential_id = p_id;
    end if;
  end if;
  perform record_outcome(p_caller, locked.account, p_service_account_id, p_id, 'credential.delete', outcome,
                         facts, '{}');
end
$$;
