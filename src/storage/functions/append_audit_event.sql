-- Writes one audit row and moves the head of its chain, whose lock makes the sequence gapless. What is about no service
-- account that exists goes to the chain of the organization, under the uid of zeros.
create or replace function keyturn.append_audit_event(
  p_caller keyturn.caller,
  p_service_account_uid uuid,
  p_service_account_id text,
  p_credential_id text,
  p_action text,
  p_outcome text,
  p_details jsonb
)
returns void
language plpgsql volatile
as $$
declare
  event keyturn.audit_events;
begin
  event.organization_id := p_caller.organization_id;
  event.service_account_uid := coalesce(p_service_account_uid, '00000000-0000-0000-0000-000000000000');
  select c.sequence + 1, c.hash into event.sequence, event.previous_hash from keyturn.audit_chains c
   where c.organization_id = event.organization_id and c.service_account_uid = event.service_account_uid
     for no key update;
  if not found then
    insert into keyturn.audit_chains as c (organization_id, service_account_uid)
    values (event.organization_id, event.service_account_uid)
        on conflict do nothing returning c.sequence + 1, c.hash into event.sequence, event.previous_hash;
  end if;
  if not found then
    -- Somebody else has begun it in the meantime.
    select c.sequence + 1, c.hash into event.sequence, event.previous_hash from keyturn.audit_chains c
     where c.organization_id = event.organization_id and c.service_account_uid = event.service_account_uid
       for no key update;
  end if;

  event.occurred_at := date_trunc('milliseconds', clock_timestamp());
  event.action := p_action;
  event.outcome := p_outcome;
  event.service_account_id := p_service_account_id;
  event.credential_id := p_credential_id;
  event.actor_issuer := p_caller.issuer;
  event.actor_subject := p_caller.subject;
  event.client_address := p_caller.client_address;
  event.request_id := p_caller.request_id;
  event.details := nullif(jsonb_strip_nulls(p_details), '{}');
  event.transaction_id := pg_current_xact_id();
  event.hash := keyturn.audit_event_hash(event);
  insert into keyturn.audit_events select (event).*;
  update keyturn.audit_chains set sequence = event.sequence, hash = event.hash
   where organization_id = event.organization_id and service_account_uid = event.service_account_uid;
end
$$;
