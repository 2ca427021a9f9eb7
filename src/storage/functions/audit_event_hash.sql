-- The hash of one audit row: SHA-256 over the previous hash and the row as a JSON array, the time in microseconds
-- since 1970. An array, because its text form has one spelling only.
create or replace function keyturn.audit_event_hash(
  p_previous_hash bytea,
  p_organization_id text,
  p_service_account_uid uuid,
  p_sequence bigint,
  p_occurred_at timestamptz,
  p_action text,
  p_outcome text,
  p_service_account_id text,
  p_credential_id text,
  p_actor_issuer text,
  p_actor_subject text,
  p_client_address inet,
  p_request_id text
)
returns bytea
language sql stable
set search_path = keyturn, pg_temp
as $$
  select sha256(p_previous_hash || convert_to(jsonb_build_array(
    p_organization_id, p_service_account_uid, p_sequence, (extract(epoch from p_occurred_at) * 1000000)::bigint,
    p_action, p_outcome, p_service_account_id, p_credential_id, p_actor_issuer, p_actor_subject,
    p_client_address, p_request_id)::text, 'UTF8'))
$$;
