-- Takes away what has had its time, a few rows at a time, beside whoever else does so: sealed secrets after ten minutes,
-- replays after thirty days, tombstones after as long as the operator keeps them, revoked tokens and signing keys once no
-- token needs them, and events that nobody wants any more.
create or replace function keyturn.sweep(p_tombstone_retention interval, p_rows_max integer)
returns integer
language plpgsql volatile security definer
set search_path = keyturn, pg_temp
as $$
declare
  -- Asked once: a range that ends at what changes from row to row is no range of an index.
  now_ constant timestamptz := clock_timestamp();
  swept integer;
  total integer := 0;
begin
  update replays set sealed_secret = null
   where ctid = any (array(select r.ctid from replays r
                            where r.sealed_secret is not null and r.created_at < now_ - interval '10 minutes'
                            limit p_rows_max for update skip locked));
  get diagnostics swept = row_count;
  total := total + swept;
  delete from replays
   where ctid = any (array(select r.ctid from replays r where r.created_at < now_ - interval '30 days'
                            limit p_rows_max for update skip locked));
  get diagnostics swept = row_count;
  total := total + swept;
  delete from credentials
   where ctid = any (array(select c.ctid from credentials c where c.deleted_at < now_ - p_tombstone_retention
                            limit p_rows_max for update skip locked));
  get diagnostics swept = row_count;
  total := total + swept;
  -- With an hour to spare: where a clock is behind the token has not expired yet, and must not hold again.
  delete from revoked_tokens
   where ctid = any (array(select t.ctid from revoked_tokens t where t.expires_at < now_ - interval '1 hour'
                            limit p_rows_max for update skip locked));
  get diagnostics swept = row_count;
  total := total + swept;
  -- A key is of use until the last token that it signed has expired, and then for the same hour. Of keys that began
  -- together the last by its name signs.
  delete from signing_keys
   where ctid = any (array(select k.ctid from (
           select ctid, lead(signs_from) over (order by signs_from, kid) as successor_signs_from from signing_keys) k
          where k.successor_signs_from < now_ - interval '75 minutes'));
  get diagnostics swept = row_count;
  total := total + swept;
  -- Servers with a webhook give up events, and say so; what is left here is older, and no such server is left either.
  return total + give_up_events(interval '15 days', p_rows_max);
end
$$;
