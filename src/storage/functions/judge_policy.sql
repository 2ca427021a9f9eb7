-- The first changed value that leaves the server's bounds or the order of the lifetimes, with the bound; null when there
-- is none. A value that was set before the operator drew the bounds closer is judged as what it then means.
create or replace function keyturn.judge_policy(
  p_wanted keyturn.organizations, p_bounds keyturn.policy_bounds, p_changes jsonb
)
returns jsonb
language sql stable
as $$
  with effective as (
    select greatest(p_wanted.min_lifetime_seconds, p_bounds.min_lifetime_seconds) as min_seconds,
           least(p_wanted.max_lifetime_seconds, p_bounds.max_lifetime_seconds) as max_seconds
  ), judged (place, field, value, minimum, maximum) as (
    select 1, 'min_lifetime', p_wanted.min_lifetime_seconds, p_bounds.min_lifetime_seconds, e.max_seconds
      from effective e where p_changes ? 'min_lifetime_seconds'
    union all
    select 2, 'max_lifetime', p_wanted.max_lifetime_seconds, e.min_seconds, p_bounds.max_lifetime_seconds
      from effective e where p_changes ? 'max_lifetime_seconds'
    union all
    select 3, 'default_lifetime', p_wanted.default_lifetime_seconds, e.min_seconds, e.max_seconds
      from effective e
     where p_changes ?| array['default_lifetime_seconds', 'min_lifetime_seconds', 'max_lifetime_seconds']
    union all
    select 4, 'max_active_credentials', p_wanted.active_credentials_max, 1, p_bounds.active_credentials_max
     where p_changes ? 'active_credentials_max'
  )
  select jsonb_strip_nulls(jsonb_build_object(
           'field', j.field, 'minimum', case when j.value < j.minimum then j.minimum end,
           'maximum', case when j.value > j.maximum then j.maximum end))
    from judged j where j.value < j.minimum or j.value > j.maximum
   order by j.place limit 1
$$;
