-- A service account as a function answers with it.
create or replace function keyturn.service_account_facts(p_account keyturn.service_accounts, p_now timestamptz)
returns jsonb
language sql stable
as $$
  select jsonb_build_object('service_account', to_jsonb(s))
    from keyturn.service_account_states(p_account.organization_id, p_now) s where s.id = p_account.id
$$;
