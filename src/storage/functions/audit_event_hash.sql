-- The hash of one audit row: SHA-256 over the previous hash and the row as a JSON array, the time in microseconds
-- since 1970. An array, because its text form has one spelling only. Details stand at its end where there are any.
create or replace function keyturn.audit_event_hash(p_event keyturn.audit_events)
returns bytea
language sql stable
as $$
  select sha256(p_event.previous_hash || convert_to((jsonb_build_array(
    p_event.organization_id, p_event.service_account_uid, p_event.sequence,
    (extract(epoch from p_event.occurred_at) * 1000000)::bigint, p_event.action, p_event.outcome,
    p_event.service_account_id, p_event.credential_id, p_event.actor_issuer, p_event.actor_subject,
    p_event.client_address, p_event.request_id)
    || case when p_event.details is null then '[]' else jsonb_build_array(p_event.details) end)::text, 'UTF8'))
$$;
