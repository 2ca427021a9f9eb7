-- Changes a service account, or says why not. `p_changes` has a member for each field that is changed, and no others.
create or replace function keyturn.update_service_account(
  p_caller keyturn.caller, p_id text, p_etag text, p_changes jsonb,
  out outcome text, out facts jsonb
)
language plpgsql volatile security definer
set search_path = keyturn, pg_temp
as $$
declare
  locked record := lock_service_account(p_caller, p_id);
  account service_accounts := locked.account;
  roles_ text[] := array(select jsonb_array_elements_text(p_changes -> 'roles'));
  -- Who enables an account brings all of its roles back to life.
  ungrantable jsonb := judge_roles(p_caller, case
    when p_changes ->> 'status' = 'active' and account.status = 'disabled'
      then case when p_changes ? 'roles' then roles_ else account.roles end
    else array(select unnest(roles_) except select unnest(account.roles)) end);
begin
  outcome := case
    when locked.refusal is not null then locked.refusal
    when etag_of(account.uid::text, account.revision::text) <> p_etag then 'etag_mismatch'
    when ungrantable is not null then 'role_not_grantable'
    else 'done' end;
  facts := case when outcome = 'role_not_grantable' then jsonb_build_object('roles', ungrantable) end;
  if outcome = 'done' then
    account.display_name := coalesce(p_changes ->> 'display_name', account.display_name);
    if p_changes ? 'description' then account.description := p_changes ->> 'description'; end if;
    if p_changes ? 'roles' then account.roles := roles_; end if;
    account.status := coalesce(p_changes ->> 'status', account.status);
    account.updated_at := greatest(locked.now_, account.updated_at);
    account.revision := account.revision + 1;
    if not p_caller.validate_only then
      update service_accounts
         set display_name = account.display_name, description = account.description, roles = account.roles,
             status = account.status, updated_at = account.updated_at, revision = account.revision
       where organization_id = account.organization_id and id = account.id;
    end if;
    facts := service_account_facts(account, locked.now_);
    if p_caller.validate_only then
      facts := jsonb_build_object('service_account', (facts -> 'service_account') - 'etag' || jsonb_build_object(
        'display_name', account.display_name, 'description', account.description, 'roles', account.roles,
        'status', account.status, 'updated_at', account.updated_at));
    end if;
  end if;
  perform record_outcome(p_caller, locked.account, p_id, null, 'service_account.update', outcome,
    facts, jsonb_build_object(
      'changed_fields', (select string_agg(key, ',' order by key) from jsonb_object_keys(p_changes) key),
      'new_status', p_changes ->> 'status', 'new_roles', (p_changes -> 'roles')::text));
end
$$;
