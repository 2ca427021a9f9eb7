-- Which of these roles the caller cannot grant, in their order; null when he can grant them all. A null list of
-- grantable roles stands for every role.
create or replace function keyturn.judge_roles(p_caller keyturn.caller, p_roles text[])
returns jsonb
language plpgsql immutable
as $$
begin
  if p_caller.grantable_roles is null or p_roles <@ p_caller.grantable_roles then return null; end if;
  return (
    select jsonb_agg(role order by place)
      from unnest(p_roles) with ordinality as r (role, place)
     where role <> all (p_caller.grantable_roles));
end
$$;
