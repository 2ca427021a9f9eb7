-- What an event says of a mutation, from the facts of its answer and the details of its row in the trail. Named one by one,
-- so that nothing gets out because somebody put it into the facts.
create or replace function keyturn.event_data(p_caller keyturn.caller, p_facts jsonb, p_details jsonb)
returns jsonb
language sql stable
as $$
  select jsonb_build_object(
    'expires_at', p_facts #> '{credential,expires_at}',
    'not_before', p_facts #> '{credential,not_before}',
    'display_name', coalesce(p_facts #> '{credential,display_name}', p_facts #> '{service_account,display_name}'),
    'status', coalesce(p_facts #> '{service_account,status}', p_facts -> 'status_before'),
    'roles', p_facts #> '{service_account,roles}',
    'replaced_credential_id', p_facts -> 'replaced_credential_id',
    'replaced_expires_at', p_facts -> 'replaced_expires_at',
    'last_used_at', p_facts -> 'last_used_at',
    'remaining_active_count', p_facts -> 'remaining_active_count',
    'active_credential_count', p_facts -> 'active_credential_count',
    'revoked_before', p_facts -> 'revoked_before',
    'revoked_credential_count', p_facts -> 'revoked_credential_count',
    'exempt_service_account_ids', string_to_array(p_details ->> 'exempt_service_account_ids', ','),
    'changed_fields', string_to_array(p_details ->> 'changed_fields', ','),
    'actor', jsonb_build_object('issuer', p_caller.issuer, 'subject', p_caller.subject),
    'request_id', p_caller.request_id)
$$;
