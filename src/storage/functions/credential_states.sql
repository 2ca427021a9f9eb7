-- The credentials of a service account as they stand at an instant. See account_credential_states, of which this is the
-- form for those who know no more than the account's id.
create or replace function keyturn.credential_states(
  p_organization_id text, p_service_account_id text, p_now timestamptz
)
returns setof keyturn.credential_state
language sql stable
as $$
  select s.*
    from keyturn.service_accounts a
    join keyturn.organizations o on o.id = a.organization_id
   cross join lateral keyturn.account_credential_states(
        a.organization_id, a.id, a.uid, keyturn.revoked_before(a, o), p_now) s
   where a.organization_id = p_organization_id and a.id = p_service_account_id
$$;
