-- For operators, by the owner's login only: `suspended` ends the use of all credentials until it is `active` again,
-- `deleted` takes away all service accounts, for good. False when there is no such organization. The trail of the
-- organization says so, without naming the login: its administrators read it.
create or replace function keyturn.set_organization_status(p_id text, p_status text)
returns boolean
language plpgsql volatile
set search_path = keyturn, pg_temp
as $$
declare
  operator caller := row(p_id, 'keyturn', 'operator', null, null, gen_random_uuid()::text, null, false);
  verb text := case p_status when 'suspended' then 'suspend' when 'active' then 'resume' else 'delete' end;
  done text := case p_status when 'suspended' then 'suspended' when 'active' then 'resumed' else 'deleted' end;
begin
  update organizations set status = p_status where id = p_id and status <> 'deleted';
  if not found then return false; end if;
  if p_status = 'deleted' then delete from service_accounts where organization_id = p_id; end if;
  perform append_audit_event(operator, null, null, null, 'organization.' || verb, 'succeeded', null);
  perform append_event(p_id, null, null, null, 'organization.' || done, jsonb_build_object('status', p_status));
  return true;
end
$$;
