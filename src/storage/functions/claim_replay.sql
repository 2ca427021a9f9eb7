-- Remembers a request by its id, before anything else is written for it. False when the id has served for another
-- request in the meantime: one about another account, for this one's is locked.
create or replace function keyturn.claim_replay(
  p_account keyturn.service_accounts, p_now timestamptz, p_claim keyturn.replay_claim,
  p_credential_id text, p_replaced_credential_id text
)
returns boolean
language plpgsql volatile
as $$
begin
  if p_claim.request_hash is null then return true; end if;
  insert into keyturn.replays (organization_id, request_hash, body_hash, service_account_id, credential_id,
                               replaced_credential_id, sealed_secret, created_at)
  values (p_account.organization_id, p_claim.request_hash, p_claim.body_hash, p_account.id, p_credential_id,
          p_replaced_credential_id, p_claim.sealed_secret, p_now)
      on conflict do nothing;
  return found;
end
$$;
