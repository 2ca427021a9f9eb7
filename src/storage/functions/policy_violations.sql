-- The live credentials that a policy would not have allowed: how many there are, and the first hundred.
create or replace function keyturn.policy_violations(p_organization_id text, p_now timestamptz, p_policy jsonb)
returns jsonb
language sql stable
as $$
  with live as (
    select s.service_account_id, s.id, s.created_at, s.expires_at,
           extract(epoch from s.expires_at - s.created_at) as lifetime_seconds,
           row_number() over (partition by s.service_account_id order by s.created_at, s.id) as place
      from keyturn.service_accounts a
     cross join lateral keyturn.credential_states(a.organization_id, a.id, p_now) s
     where a.organization_id = p_organization_id and s.is_live
  ), violation as (
    select service_account_id, id, expires_at, created_at, 'max_lifetime' as rule from live
     where lifetime_seconds > (p_policy ->> 'max_lifetime_seconds')::integer
    union all
    select service_account_id, id, expires_at, created_at, 'min_lifetime' from live
     where lifetime_seconds < (p_policy ->> 'min_lifetime_seconds')::integer
    union all
    select service_account_id, id, expires_at, created_at, 'max_active_credentials' from live
     where place > (p_policy ->> 'active_credentials_max')::integer
  ), numbered as (
    select *, row_number() over (order by service_account_id, created_at, id, rule) as number from violation
  )
  select jsonb_build_object(
    'violation_count', count(*),
    'violations', coalesce(jsonb_agg(jsonb_build_object(
      'service_account_id', service_account_id, 'credential_id', id, 'expires_at', expires_at, 'rule', rule)
      order by number) filter (where number <= 100), '[]'))
    from numbered
$$;
