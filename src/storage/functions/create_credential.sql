-- Issues a credential, or says why not: lock, look, decide, write. One statement, so one round trip and no transaction
-- of the driver's. The clock is read once the lock is held, for time passes while waiting (docs/adr/0003).
create or replace function keyturn.create_credential(
  p_organization_id text, p_service_account_id text,
  p_credential_id text, p_secret_hash text, p_hint text, p_expires_at timestamptz,
  p_default_lifetime_seconds integer, p_min_lifetime_seconds integer, p_max_lifetime_seconds integer,
  p_active_credentials_max integer,
  p_actor_issuer text, p_actor_subject text, p_client_address inet, p_request_id text, p_budget_ms integer,
  out outcome text, out uid uuid, out created_at timestamptz, out expires_at timestamptz,
  out bound timestamptz, out bound_seconds integer, out active_max integer, out active_count integer,
  out safest_to_delete text
)
language plpgsql volatile security definer
set search_path = keyturn, pg_temp
as $$
#variable_conflict use_column
declare
  account service_accounts;
  policy record;
  expiry record;
  now_ timestamptz;
begin
  select * into account from service_accounts
   where organization_id = p_organization_id and id = p_service_account_id
     for no key update;
  if not found then outcome := 'account_unknown'; return; end if;

  now_ := date_trunc('milliseconds', clock_timestamp());
  if clock_timestamp() >= statement_timestamp() + make_interval(secs => p_budget_ms / 1000.0) then
    outcome := 'deadline_exceeded'; return;
  end if;

  policy := effective_policy(p_organization_id, p_default_lifetime_seconds, p_min_lifetime_seconds,
                             p_max_lifetime_seconds, p_active_credentials_max);
  expiry := judge_expiry(now_, p_expires_at, policy.default_lifetime_seconds, policy.min_lifetime_seconds,
                         policy.max_lifetime_seconds);
  outcome := expiry.verdict;
  bound := expiry.bound;
  bound_seconds := expiry.bound_seconds;
  if outcome <> 'allowed' then return; end if;

  select count(*) into active_count from credentials c
   where c.organization_id = p_organization_id and c.service_account_id = p_service_account_id
     and c.expires_at > now_;
  active_max := policy.active_credentials_max;
  if active_count >= active_max then
    outcome := 'limit_reached';
    safest_to_delete := safest_to_delete(p_organization_id, p_service_account_id, now_);
    return;
  end if;

  insert into credentials (organization_id, service_account_id, id, secret_hash, hint, created_by, created_at, expires_at)
  values (p_organization_id, p_service_account_id, p_credential_id, p_secret_hash, p_hint, p_actor_subject, now_,
          expiry.expires_at)
  returning credentials.uid, credentials.created_at, credentials.expires_at into uid, created_at, expires_at;
  perform append_audit_event(account, now_, 'credential.create', p_credential_id,
                             p_actor_issuer, p_actor_subject, p_client_address, p_request_id);
  outcome := 'created';
end
$$;
