-- Writes one audit row and moves the head of the account's chain. The caller holds the account's row lock, so rows get
-- gapless sequence numbers. The hash is SHA-256 over the previous hash and a JSON array of every other column.
create or replace function keyturn.append_audit_event(
  p_account keyturn.service_accounts,
  p_occurred_at timestamptz,
  p_action text,
  p_credential_id text,
  p_actor_issuer text,
  p_actor_subject text,
  p_client_address inet,
  p_request_id text
)
returns void
language plpgsql volatile
set search_path = keyturn, pg_temp
as $$
declare
  sequence_ bigint := p_account.audit_sequence + 1;
  hash_ bytea := audit_event_hash(
    p_account.audit_hash, p_account.organization_id, p_account.uid, sequence_, p_occurred_at, p_action, 'succeeded',
    p_account.id, p_credential_id, p_actor_issuer, p_actor_subject, p_client_address, p_request_id);
begin
  insert into audit_events (
    organization_id, service_account_uid, sequence, occurred_at, action, outcome, service_account_id, credential_id,
    actor_issuer, actor_subject, client_address, request_id, previous_hash, hash)
  values (
    p_account.organization_id, p_account.uid, sequence_, p_occurred_at, p_action, 'succeeded', p_account.id,
    p_credential_id, p_actor_issuer, p_actor_subject, p_client_address, p_request_id, p_account.audit_hash, hash_);

  update service_accounts
     set audit_sequence = sequence_, audit_hash = hash_
   where organization_id = p_account.organization_id and id = p_account.id;
end
$$;
