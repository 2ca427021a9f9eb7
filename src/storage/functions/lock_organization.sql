-- Takes the lock by which service accounts are created and the policy is changed, and reads the clock once it is held. An
-- organization comes into being with its first service account, policy or revocation: its tokens say that it exists.
-- One that was deleted stays so.
create or replace function keyturn.lock_organization(
  p_caller keyturn.caller,
  out organization keyturn.organizations, out now_ timestamptz, out refusal text, out facts jsonb
)
language plpgsql volatile
as $$
begin
  -- A dry run writes nothing and looks long: nobody waits for it.
  if p_caller.validate_only then
    select * into organization from keyturn.organizations where id = p_caller.organization_id;
  else
    select * into organization from keyturn.organizations where id = p_caller.organization_id for no key update;
  end if;
  if not found and not p_caller.validate_only then
    insert into keyturn.organizations (id) values (p_caller.organization_id) on conflict do nothing;
    select * into organization from keyturn.organizations where id = p_caller.organization_id for no key update;
  end if;
  refusal := case when organization.status = 'deleted' then 'not_found'
                  when keyturn.is_late(p_caller) then 'deadline_exceeded' end;
  facts := case when refusal = 'not_found' then jsonb_build_object('organization_id', p_caller.organization_id) end;
  now_ := date_trunc('milliseconds', clock_timestamp());
end
$$;
