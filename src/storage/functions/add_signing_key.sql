-- Adds a key that signs access tokens, unless there is a new one already: of any number of servers that find the current
-- one too old, one adds the next. The first key signs at once; a later one when those who fetch our keys have had the
-- time to see it.
create or replace function keyturn.add_signing_key(
  p_kid text, p_public_jwk jsonb, p_sealed_private_key bytea, p_age_max interval, p_publish_ahead interval
)
returns boolean
language plpgsql volatile security definer
set search_path = keyturn, pg_temp
as $$
declare
  now_ timestamptz;
  newest timestamptz;
begin
  perform pg_advisory_xact_lock(hashtextextended('keyturn signing keys', 0));
  now_ := date_trunc('milliseconds', clock_timestamp());
  select max(signs_from) into newest from signing_keys;
  if newest > now_ - p_age_max then return false; end if;
  insert into signing_keys (kid, public_jwk, sealed_private_key, created_at, signs_from)
  values (p_kid, p_public_jwk, p_sealed_private_key, now_,
          case when newest is null then now_ else now_ + p_publish_ahead end);
  return true;
end
$$;
