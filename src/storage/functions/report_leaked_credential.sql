-- Revokes a credential whose secret was turned in, for good: nothing makes it hold again. Once only: who turns it in again
-- leaves nothing behind. Of one that was deleted it is still said, for its secret is somewhere where it should not be.
create or replace function keyturn.report_leaked_credential(
  p_caller keyturn.caller, p_service_account_id text, p_credential_id text,
  out outcome text, out facts jsonb
)
language plpgsql volatile security definer
set search_path = keyturn, pg_temp
as $$
declare
  locked record;
  status_before text;
begin
  -- Nothing takes a leak back, so this needs no lock: whoever has found the secret could else hold up the account's
  -- administrators by turning it in again and again.
  perform from credentials
    where organization_id = p_caller.organization_id and service_account_id = p_service_account_id
      and id = p_credential_id and leaked_at is not null;
  if found then
    outcome := 'done';
    return;
  end if;
  locked := lock_service_account(p_caller, p_service_account_id);
  outcome := coalesce(locked.refusal, 'done');
  if outcome <> 'done' then return; end if;
  select coalesce(s.status, 'deleted') into status_before
    from credentials c
    left join credential_states(p_caller.organization_id, p_service_account_id, locked.now_) s on s.id = c.id
   where c.organization_id = p_caller.organization_id and c.service_account_id = p_service_account_id
     and c.id = p_credential_id;
  update credentials set leaked_at = locked.now_
   where organization_id = p_caller.organization_id and service_account_id = p_service_account_id
     and id = p_credential_id and leaked_at is null;
  if not found then return; end if;
  update replays set sealed_secret = null
   where organization_id = p_caller.organization_id and service_account_id = p_service_account_id
     and credential_id = p_credential_id;
  facts := jsonb_build_object('status_before', status_before);
  perform record_outcome(p_caller, locked.account, p_service_account_id, p_credential_id, 'credential.report_leak',
                         outcome, facts, '{}');
end
$$;
