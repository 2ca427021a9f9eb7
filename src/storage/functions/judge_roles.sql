-- Which of these roles the caller cannot grant, in their order; null when he can grant them all. A null list of
-- grantable roles stands for every role.
create or replace function keyturn.judge_roles(p_caller keyturn.caller, p_roles text[])
returns jsonb
language sql immutable
as $$
  select jsonb_agg(role order by place)
    from unnest(p_roles) with ordinality as r (role, place)
   where p_caller.grantable_roles is not null and role <> all (p_caller.grantable_roles)
$$;
