-- The kill switch for a whole organization, by one row again. An exempt account keeps what held for it until now.
create or replace function keyturn.revoke_organization_credentials(
  p_caller keyturn.caller, p_exempt_service_account_ids text[],
  out outcome text, out facts jsonb
)
language plpgsql volatile security definer
set search_path = keyturn, pg_temp
as $$
declare
  locked record := lock_organization(p_caller);
  organization organizations := locked.organization;
  missing text;
  exemptions jsonb;
begin
  outcome := locked.refusal;
  facts := locked.facts;
  if outcome is null then
    select min(e.id) into missing from unnest(p_exempt_service_account_ids) e (id)
     where not exists (select from service_accounts a
                        where a.organization_id = p_caller.organization_id and a.id = e.id);
    if missing is not null then
      outcome := 'not_found'; facts := jsonb_build_object('service_account_id', missing);
    end if;
  end if;
  if outcome is null then
    outcome := 'done';
    facts := live_credentials_of_organization(organization, locked.now_, p_exempt_service_account_ids);
    select coalesce(jsonb_object_agg(a.uid, case
             when organization.revocation_exemptions ? a.uid::text then organization.revocation_exemptions -> a.uid::text
             else to_jsonb(organization.credentials_revoked_before) end), '{}')
      into exemptions from service_accounts a
     where a.organization_id = p_caller.organization_id and a.id = any (p_exempt_service_account_ids);
    if not p_caller.validate_only then
      update organizations
         set credentials_revoked_before = greatest(credentials_revoked_before, (facts ->> 'revoked_before')::timestamptz),
             revocation_exemptions = exemptions
       where id = p_caller.organization_id;
    end if;
  end if;
  perform record_outcome(p_caller, null, null, null, 'credential.revoke_all', outcome, facts,
    jsonb_build_object('exempt_service_account_ids', nullif(array_to_string(p_exempt_service_account_ids, ','), '')));
end
$$;
