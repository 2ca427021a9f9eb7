-- Creates a service account, or says why not. Accounts of an organization are created one after the other, each at a
-- later instant than the last, so that lists which are read page by page never skip one.
create or replace function keyturn.create_service_account(
  p_caller keyturn.caller, p_id text, p_display_name text, p_description text, p_scope text, p_scope_id text,
  p_roles text[],
  out outcome text, out facts jsonb
)
language plpgsql volatile security definer
set search_path = keyturn, pg_temp
as $$
declare
  locked record := lock_organization(p_caller);
  ungrantable jsonb := judge_roles(p_caller, p_roles);
  account service_accounts;
  created_at_ timestamptz := greatest(locked.now_, (
    select max(a.created_at) + interval '1 millisecond' from service_accounts a
     where a.organization_id = p_caller.organization_id));
begin
  outcome := locked.refusal;
  facts := locked.facts;
  if outcome is null and ungrantable is not null then
    outcome := 'role_not_grantable'; facts := jsonb_build_object('roles', ungrantable);
  end if;
  if outcome is null then
    perform from service_accounts a where a.organization_id = p_caller.organization_id and a.id = p_id;
    if found then outcome := 'already_exists'; end if;
  end if;
  if outcome is null and p_caller.validate_only then
    outcome := 'done';
    facts := jsonb_build_object('service_account', jsonb_build_object(
      'id', p_id, 'display_name', p_display_name, 'description', p_description, 'scope', p_scope, 'scope_id', p_scope_id,
      'roles', p_roles, 'client_id', p_id || '@' || p_caller.organization_id || '.iam', 'status', 'active',
      'created_by', p_caller.subject, 'created_at', created_at_, 'updated_at', created_at_,
      'active_credential_count', 0));
  elsif outcome is null then
    insert into service_accounts (organization_id, id, display_name, description, scope, scope_id, roles, created_by,
                                  created_at, updated_at)
    values (p_caller.organization_id, p_id, p_display_name, p_description, p_scope, p_scope_id, p_roles,
            p_caller.subject, created_at_, created_at_)
    returning * into account;
    outcome := 'done';
    facts := service_account_facts(account, locked.now_);
  end if;
  perform record_outcome(p_caller, account, p_id, null, 'service_account.create', outcome,
                         facts, jsonb_build_object('new_roles', nullif(to_jsonb(p_roles), '[]')::text));
end
$$;
