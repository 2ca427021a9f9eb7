-- Whether a service account may get one more credential, apart from when it would expire: `allowed`, or why not. `p_retiring`
-- is the id of one that ends in the same moment and so makes room.
create or replace function keyturn.judge_creation(
  p_caller keyturn.caller, p_account keyturn.service_accounts, p_now timestamptz,
  p_credential_creation text, p_active_credentials_max integer, p_retiring text,
  out outcome text, out facts jsonb
)
language plpgsql stable
as $$
declare
  ungrantable jsonb := case when p_caller.grantable_roles is not null
                            then keyturn.judge_roles(p_caller, p_account.roles) end;
  live integer;
  safest text;
begin
  if p_credential_creation = 'denied' then outcome := 'credential_creation_denied'; return; end if;
  if ungrantable is not null then
    outcome := 'role_not_grantable'; facts := jsonb_build_object('roles', ungrantable); return;
  end if;
  select count(*) into live
    from keyturn.organizations o
   cross join lateral keyturn.account_credential_states(
        p_account.organization_id, p_account.id, p_account.uid, keyturn.revoked_before(p_account, o), p_now) s
   where o.id = p_account.organization_id and s.is_live and s.id is distinct from p_retiring;
  if live >= p_active_credentials_max then
    -- Counted once more, by the statement that also names the one that would be missed least: never used, else least
    -- recently used, else oldest. What is not refused need not know.
    select count(*), (array_agg(s.id order by s.last_used_at nulls first, s.created_at, s.id))[1] into live, safest
      from keyturn.credential_states(p_account.organization_id, p_account.id, p_now) s
     where s.is_live and s.id is distinct from p_retiring;
  end if;
  if live >= p_active_credentials_max then
    outcome := 'credential_limit_reached';
    facts := jsonb_build_object('limit', p_active_credentials_max, 'active_count', live, 'safest_to_delete', safest);
    return;
  end if;
  outcome := 'allowed';
end
$$;
