-- Records calls of one organization that were refused before anything was looked up, several at once, in the chain that it
-- has for them: under the uid of ones, so that a flood of refused callers stands before nobody who was not refused.
create or replace function keyturn.record_refusals(p_refusals jsonb)
returns void
language plpgsql volatile security definer
set search_path = keyturn, pg_temp
as $$
declare
  refusal record;
begin
  for refusal in
    select jsonb_populate_record(null::keyturn.caller, r.caller) as caller, r.action, r.outcome, r.service_account_id,
           r.credential_id
      from rows from (jsonb_to_recordset(p_refusals) as (
             caller jsonb, action text, outcome text, service_account_id text, credential_id text)) with ordinality r
     order by r.ordinality
  loop
    perform append_audit_event(refusal.caller, 'ffffffff-ffff-ffff-ffff-ffffffffffff', refusal.service_account_id,
                               refusal.credential_id, refusal.action, refusal.outcome, null);
  end loop;
end
$$;
