-- Deletes a service account with all that hangs on it, or says what would be lost. The trail stays.
create or replace function keyturn.delete_service_account(
  p_caller keyturn.caller, p_id text, p_etag text,
  out outcome text, out facts jsonb
)
language plpgsql volatile security definer
set search_path = keyturn, pg_temp
as $$
declare
  locked record := lock_service_account(p_caller, p_id);
  account service_accounts := locked.account;
begin
  outcome := case
    when locked.refusal is not null then locked.refusal
    when etag_of(account.uid::text, account.revision::text) <> p_etag then 'etag_mismatch'
    else 'done' end;
  if outcome = 'done' then
    select jsonb_build_object('last_used_at', max(s.last_used_at),
                              'active_credential_count', count(*) filter (where s.is_live))
      into facts from credential_states(p_caller.organization_id, p_id, locked.now_) s;
    if not p_caller.validate_only then
      delete from service_accounts where organization_id = p_caller.organization_id and id = p_id;
    end if;
  end if;
  perform record_outcome(p_caller, account, p_id, null, 'service_account.delete', outcome, facts, '{}');
end
$$;
