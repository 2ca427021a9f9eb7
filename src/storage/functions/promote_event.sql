-- Makes the first event of a queue due, unless it is so already: to whoever calls, who holds it for a while then, or to
-- everybody, when he wants it no more. The one before it is gone, and with it everything that this statement sees has been
-- committed.
create or replace function keyturn.promote_event(p_organization_id text, p_service_account_uid uuid, p_hold interval)
returns setof keyturn.events
language sql volatile
as $$
  update keyturn.events
     set due_at = clock_timestamp() + coalesce(p_hold, '0'), attempts = case when p_hold is null then 0 else 1 end
   where organization_id = p_organization_id and service_account_uid = p_service_account_uid and due_at is null
     and sequence = (select min(sequence) from keyturn.events
                      where organization_id = p_organization_id and service_account_uid = p_service_account_uid)
  returning *
$$;
