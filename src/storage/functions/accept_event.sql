-- An event was accepted, and goes. Gives the next of its queue, which its sender holds then; with no time to hold it, the
-- next is left to everybody. One that had been accepted by another sender as well gives none.
create or replace function keyturn.accept_event(
  p_organization_id text, p_service_account_uid uuid, p_sequence bigint, p_hold interval
)
returns setof keyturn.events
language plpgsql volatile security definer
set search_path = keyturn, pg_temp
as $$
begin
  delete from events
   where organization_id = p_organization_id and service_account_uid = p_service_account_uid and sequence = p_sequence;
  -- A statement of its own, which sees what was waiting for the row that has just gone.
  return query select * from promote_event(p_organization_id, p_service_account_uid, p_hold);
end
$$;
