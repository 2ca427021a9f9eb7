-- Brings the end of a credential forward, and shows it as it is then. A dry run only shows it.
create or replace function keyturn.retire_credential(
  p_caller keyturn.caller, p_account keyturn.service_accounts, p_now timestamptz, p_id text, p_ends_at timestamptz
)
returns jsonb
language plpgsql volatile
as $$
declare
  shown jsonb;
begin
  if not p_caller.validate_only then
    update keyturn.credentials set expires_at = p_ends_at
     where organization_id = p_account.organization_id and service_account_id = p_account.id and id = p_id;
  end if;
  select to_jsonb(s) into shown
    from keyturn.credential_states(p_account.organization_id, p_account.id, p_now) s where s.id = p_id;
  if p_caller.validate_only then
    shown := (shown - 'etag') || jsonb_build_object(
      'expires_at', p_ends_at, 'status', case when p_ends_at <= p_now then 'expired' else shown ->> 'status' end);
  end if;
  return jsonb_build_object('replaced', shown);
end
$$;
