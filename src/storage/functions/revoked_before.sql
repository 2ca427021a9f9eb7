-- The instant before which credentials of a service account are revoked, by its own kill switch or by that of its
-- organization; null when neither was pulled for it. Inlined where it is used, as account_credential_states is.
create or replace function keyturn.revoked_before(
  p_account keyturn.service_accounts, p_organization keyturn.organizations
)
returns timestamptz
language sql stable
as $$
  select greatest(p_account.credentials_revoked_before,
    case when p_organization.revocation_exemptions ? p_account.uid::text
         then (p_organization.revocation_exemptions ->> p_account.uid::text)::timestamptz
         else p_organization.credentials_revoked_before end)
$$;
