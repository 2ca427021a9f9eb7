-- An event was not accepted, and is due again later. Without effect when somebody else has taken it since.
create or replace function keyturn.postpone_event(
  p_organization_id text, p_service_account_uid uuid, p_sequence bigint, p_attempts integer, p_delay interval
)
returns void
language sql volatile security definer
set search_path = keyturn, pg_temp
as $$
  update events set due_at = clock_timestamp() + p_delay
   where organization_id = p_organization_id and service_account_uid = p_service_account_uid
     and sequence = p_sequence and attempts = p_attempts
$$;
