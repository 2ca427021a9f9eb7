-- Writes what has been done into the queue of its service account, for the webhook; what is about no account, into that of
-- the organization, under the uid of zeros. Nothing while no server has a webhook (docs/adr/0017).
--
-- The caller of this function holds the lock that orders what happens to the account. The last of the queue is locked as
-- well, so that it is not accepted unseen at this moment: the first of a queue is due, and each of the others comes due as
-- the one before it is accepted.
create or replace function keyturn.append_event(
  p_organization_id text, p_service_account_uid uuid, p_service_account_id text, p_credential_id text,
  p_type text, p_data jsonb
)
returns void
language plpgsql volatile
as $$
declare
  now_ timestamptz := date_trunc('milliseconds', clock_timestamp());
  uid_ uuid := coalesce(p_service_account_uid, '00000000-0000-0000-0000-000000000000');
  first_ boolean;
begin
  if p_type is null or not exists (select from keyturn.event_delivery where wanted_until > now_) then return; end if;
  perform from keyturn.events e where e.organization_id = p_organization_id and e.service_account_uid = uid_
    order by e.sequence desc limit 1 for share;
  first_ := not found;
  insert into keyturn.events (organization_id, service_account_uid, service_account_id, credential_id, type,
                              occurred_at, data, due_at)
  values (p_organization_id, uid_, p_service_account_id, p_credential_id, p_type, now_, jsonb_strip_nulls(p_data),
          case when first_ then now_ end);
end
$$;
