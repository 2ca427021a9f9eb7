-- Functions and grants as the first release had them, to make databases that it has written.
set check_function_bodies = off;
-- Writes one audit row and moves the head of the account's chain. The caller holds the account's row lock, so rows get
-- gapless sequence numbers. The hash is SHA-256 over the previous hash and a JSON array of every other column.
create or replace function keyturn.append_audit_event(
  p_account keyturn.service_accounts,
  p_occurred_at timestamptz,
  p_action text,
  p_credential_id text,
  p_actor_issuer text,
  p_actor_subject text,
  p_client_address inet,
  p_request_id text
)
returns void
language plpgsql volatile
set search_path = keyturn, pg_temp
as $$
declare
  sequence_ bigint := p_account.audit_sequence + 1;
  hash_ bytea := audit_event_hash(
    p_account.audit_hash, p_account.organization_id, p_account.uid, sequence_, p_occurred_at, p_action, 'succeeded',
    p_account.id, p_credential_id, p_actor_issuer, p_actor_subject, p_client_address, p_request_id);
begin
  insert into audit_events (
    organization_id, service_account_uid, sequence, occurred_at, action, outcome, service_account_id, credential_id,
    actor_issuer, actor_subject, client_address, request_id, previous_hash, hash)
  values (
    p_account.organization_id, p_account.uid, sequence_, p_occurred_at, p_action, 'succeeded', p_account.id,
    p_credential_id, p_actor_issuer, p_actor_subject, p_client_address, p_request_id, p_account.audit_hash, hash_);

  update service_accounts
     set audit_sequence = sequence_, audit_hash = hash_
   where organization_id = p_account.organization_id and id = p_account.id;
end
$$;
-- The hash of one audit row: SHA-256 over the previous hash and the row as a JSON array, the time in microseconds
-- since 1970. An array, because its text form has one spelling only.
create or replace function keyturn.audit_event_hash(
  p_previous_hash bytea,
  p_organization_id text,
  p_service_account_uid uuid,
  p_sequence bigint,
  p_occurred_at timestamptz,
  p_action text,
  p_outcome text,
  p_service_account_id text,
  p_credential_id text,
  p_actor_issuer text,
  p_actor_subject text,
  p_client_address inet,
  p_request_id text
)
returns bytea
language sql stable
set search_path = keyturn, pg_temp
as $$
  select sha256(p_previous_hash || convert_to(jsonb_build_array(
    p_organization_id, p_service_account_uid, p_sequence, (extract(epoch from p_occurred_at) * 1000000)::bigint,
    p_action, p_outcome, p_service_account_id, p_credential_id, p_actor_issuer, p_actor_subject,
    p_client_address, p_request_id)::text, 'UTF8'))
$$;
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
-- The policy that holds for an organization: its own values, within the server's bounds, which come with each call.
create or replace function keyturn.effective_policy(
  p_organization_id text,
  p_default_lifetime_seconds integer,
  p_min_lifetime_seconds integer,
  p_max_lifetime_seconds integer,
  p_active_credentials_max integer,
  out default_lifetime_seconds integer,
  out min_lifetime_seconds integer,
  out max_lifetime_seconds integer,
  out active_credentials_max integer
)
language sql stable
set search_path = keyturn, pg_temp
as $$
  select coalesce(o.default_lifetime_seconds, p_default_lifetime_seconds),
         greatest(o.min_lifetime_seconds, p_min_lifetime_seconds),
         least(o.max_lifetime_seconds, p_max_lifetime_seconds),
         least(o.active_credentials_max, p_active_credentials_max)
    from organizations o
   where o.id = p_organization_id
$$;
-- Whether a requested expiry is allowed, and which one holds. Pure, so that every bound can be tested to the
-- millisecond. `bound` is the instant that was missed, `bound_seconds` the lifetime it comes from. Nothing is ever
-- clamped: a wrong request is refused. A default outside the organization's own bounds gives way to them.
create or replace function keyturn.judge_expiry(
  p_now timestamptz,
  p_requested timestamptz,
  p_default_lifetime_seconds integer,
  p_min_lifetime_seconds integer,
  p_max_lifetime_seconds integer,
  out verdict text,
  out expires_at timestamptz,
  out bound timestamptz,
  out bound_seconds integer
)
language plpgsql immutable
set search_path = keyturn, pg_temp
as $$
declare
  earliest timestamptz := p_now + make_interval(secs => p_min_lifetime_seconds);
  latest timestamptz := p_now + make_interval(secs => p_max_lifetime_seconds);
begin
  expires_at := coalesce(p_requested, p_now + make_interval(secs =>
    least(greatest(p_default_lifetime_seconds, p_min_lifetime_seconds), p_max_lifetime_seconds)));
  if expires_at <= p_now then
    verdict := 'expiry_in_past'; bound := p_now; bound_seconds := 0;
  elsif p_requested < earliest then
    verdict := 'expiry_below_minimum'; bound := earliest; bound_seconds := p_min_lifetime_seconds;
  elsif p_requested > latest then
    verdict := 'expiry_above_maximum'; bound := latest; bound_seconds := p_max_lifetime_seconds;
  else
    verdict := 'allowed';
  end if;
end
$$;
-- The active credential that is least likely to be missed: never used, else least recently used, else oldest.
create or replace function keyturn.safest_to_delete(
  p_organization_id text,
  p_service_account_id text,
  p_now timestamptz
)
returns text
language sql stable
set search_path = keyturn, pg_temp
as $$
  select c.id
    from credentials c
    left join credential_usage u
      on u.organization_id = c.organization_id
     and u.service_account_id = c.service_account_id
     and u.credential_id = c.id
   where c.organization_id = p_organization_id
     and c.service_account_id = p_service_account_id
     and c.expires_at > p_now
   order by u.last_used_at nulls first, c.created_at, c.id
   limit 1
$$;
-- What the server may do: call functions and read. It writes no table directly, so every promise that the functions
-- keep holds whoever calls. `keyturn_app` is a group role: grant it to the login of the server.
revoke all on schema keyturn from public;
revoke execute on all functions in schema keyturn from public;
grant usage on schema keyturn to keyturn_app;
grant select on all tables in schema keyturn to keyturn_app;
grant execute on function keyturn.create_credential(
  text, text, text, text, text, timestamptz, integer, integer, integer, integer, text, text, inet, text, integer
) to keyturn_app;
comment on schema keyturn is 'keyturn of the first release';
