-- What the event of a mutation is called, by the name that the mutation has in the trail; null for what is told to nobody.
create or replace function keyturn.event_type(p_action text)
returns text
language sql immutable
as $$
  select case p_action
    when 'credential.create' then 'credential.created'
    when 'credential.rotate' then 'credential.rotated'
    when 'credential.delete' then 'credential.deleted'
    when 'credential.revoke_all' then 'credential.revoked'
    when 'credential.report_leak' then 'credential.leaked'
    when 'service_account.create' then 'service_account.created'
    when 'service_account.update' then 'service_account.updated'
    when 'service_account.delete' then 'service_account.deleted' end
$$;
