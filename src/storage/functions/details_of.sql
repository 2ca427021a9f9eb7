-- What the trail says besides who and what: the facts of a refusal, or of what was done, as words. What has its own
-- column, what a reader could look up and what nobody may see are left out.
create or replace function keyturn.details_of(p_facts jsonb)
returns jsonb
language plpgsql immutable
as $$
declare
  told jsonb := jsonb_strip_nulls(
    p_facts - '{credential,replaced,service_account,sealed_secret,policy,violations}'::text[]);
begin
  -- Of most creates there is nothing.
  if told = '{}' then return told; end if;
  return coalesce((
    select jsonb_object_agg(key, case jsonb_typeof(value) when 'string' then value else to_jsonb(value::text) end)
      from jsonb_each(told)), '{}');
end
$$;
