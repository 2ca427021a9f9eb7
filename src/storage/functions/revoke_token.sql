-- Revokes one access token of the caller's organization, and records it. Revoking it again changes nothing.
create or replace function keyturn.revoke_token(
  p_caller keyturn.caller, p_service_account_id text, p_credential_id text, p_jti text, p_expires_at timestamptz
)
returns void
language plpgsql volatile security definer
set search_path = keyturn, pg_temp
as $$
begin
  insert into revoked_tokens (organization_id, jti, expires_at)
  values (p_caller.organization_id, p_jti, p_expires_at) on conflict do nothing;
  if found then
    perform append_audit_event(p_caller, null, p_service_account_id, p_credential_id, 'token.revoke', 'succeeded',
                               jsonb_build_object('jti', p_jti));
  end if;
end
$$;
