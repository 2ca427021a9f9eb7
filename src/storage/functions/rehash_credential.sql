-- Puts a hash of other cost in the place of the one that a secret was just checked by. Nothing when that one is gone.
create or replace function keyturn.rehash_credential(
  p_organization_id text, p_service_account_id text, p_credential_uid uuid, p_old_hash text, p_new_hash text
)
returns void
language sql volatile security definer
set search_path = keyturn, pg_temp
as $$
  update credentials set secret_hash = p_new_hash
   where organization_id = p_organization_id and service_account_id = p_service_account_id
     and uid = p_credential_uid and secret_hash = p_old_hash
$$;
