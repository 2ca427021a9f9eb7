-- Changes the policy of an organization, or says why not. `p_changes` has a member for each field that is changed: a value,
-- or null for the server's own. Existing credentials stay as they are.
create or replace function keyturn.update_credential_policy(
  p_caller keyturn.caller, p_bounds keyturn.policy_bounds, p_etag text, p_changes jsonb,
  out outcome text, out facts jsonb
)
language plpgsql volatile security definer
set search_path = keyturn, pg_temp
as $$
declare
  locked record := lock_organization(p_caller);
  wanted organizations;
begin
  outcome := case
    when locked.refusal is not null then locked.refusal
    when policy_etag(locked.organization) <> p_etag then 'etag_mismatch' end;
  facts := locked.facts;
  if outcome is null then
    wanted := jsonb_populate_record(locked.organization, p_changes);
    wanted.id := p_caller.organization_id;
    wanted.credential_creation := coalesce(wanted.credential_creation, 'allowed');
    facts := judge_policy(wanted, p_bounds, p_changes);
    outcome := case when facts is not null then 'policy_out_of_bounds' else 'done' end;
  end if;
  if outcome = 'done' then
    wanted.policy_updated_at := locked.now_;
    wanted.policy_revision := coalesce(wanted.policy_revision, 0) + 1;
    facts := policy_facts(wanted, p_bounds);
    if p_caller.validate_only then
      -- Without the etag that the policy would have: by it a later update could go over somebody else's.
      facts := (facts #- '{policy,etag}') || policy_violations(p_caller.organization_id, locked.now_, facts -> 'policy');
    else
      update organizations
         set default_lifetime_seconds = wanted.default_lifetime_seconds,
             min_lifetime_seconds = wanted.min_lifetime_seconds, max_lifetime_seconds = wanted.max_lifetime_seconds,
             active_credentials_max = wanted.active_credentials_max, credential_creation = wanted.credential_creation,
             policy_revision = wanted.policy_revision, policy_updated_at = wanted.policy_updated_at
       where id = p_caller.organization_id;
    end if;
  end if;
  -- A field that is given back to the server's own value has no value here, and is named all the same.
  perform record_outcome(p_caller, null, null, null, 'credential_policy.update', outcome,
    facts, details_of(p_changes) || jsonb_build_object(
      'changed_fields', (select string_agg(key, ',' order by key) from jsonb_object_keys(p_changes) key)));
end
$$;
