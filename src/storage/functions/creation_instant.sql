-- The instant at which a new credential of a locked account is created: now, but after every earlier one, so that lists
-- which are read page by page never skip it, and not before a revocation that is not meant for it, whichever way the
-- clock was set in between. A revocation that `p_organization` does not know of yet is meant for it.
create or replace function keyturn.creation_instant(
  p_account keyturn.service_accounts, p_organization keyturn.organizations, p_now timestamptz
)
returns timestamptz
language plpgsql stable
as $$
begin
  return greatest(p_now, p_account.credentials_revoked_before,
                  p_organization.credentials_revoked_before,
                  (select max(c.created_at) + interval '1 millisecond' from keyturn.credentials c
                    where c.organization_id = p_account.organization_id and c.service_account_id = p_account.id
                      and c.deleted_at is null and c.created_at > '-infinity'));
end
$$;
