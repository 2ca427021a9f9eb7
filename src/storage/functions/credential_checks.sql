-- What a check of secrets needs, for several at once: whose each is, its hash, and why it must be refused, if it must. One
-- row a question, in its place; none for a credential that nobody knows. Without a search path of its own, so that the
-- planner sees through it.
--
-- Each row is looked up by its key, one after another: `offset 0` keeps the planner from any other order. Where it knows
-- little of a table (a new database, one that was restored, one that grows faster than it is analyzed) it would begin with
-- the organizations and read every credential that they have.
create or replace function keyturn.credential_checks(p_ids text[], p_addresses text[])
returns table (
  place bigint, organization_id text, service_account_id text, service_account_uid uuid, credential_uid uuid,
  secret_hash text, expires_at timestamptz, scope text, scope_id text, roles text, refusal text, checked_at timestamptz
)
language sql stable
as $$
  select q.place, c.organization_id, c.service_account_id, a.uid, c.uid, c.secret_hash, c.expires_at, a.scope, a.scope_id,
         array_to_json(a.roles)::text,
         case when c.deleted_at is not null then 'deleted'
              when c.created_at < a.revoked_before or c.leaked_at is not null then 'revoked'
              when c.expires_at <= statement_timestamp() then 'expired'
              when c.not_before > statement_timestamp() then 'pending'
              when a.status <> 'active' then 'service_account_disabled'
              when a.organization_status <> 'active' then 'organization_suspended'
              when c.allowed_cidrs <> '{}' and not coalesce(nullif(q.address, '')::inet <<= any (c.allowed_cidrs), false)
                then 'address_not_allowed' end,
         statement_timestamp()
    from unnest(p_ids, p_addresses) with ordinality as q (id, address, place)
   cross join lateral (select c.* from keyturn.credentials c where c.id = q.id offset 0) c
   cross join lateral (
     select a.uid, a.scope, a.scope_id, a.roles, a.status, o.status, keyturn.revoked_before(a, o)
       from keyturn.service_accounts a
      cross join keyturn.organizations o
      where a.organization_id = c.organization_id and a.id = c.service_account_id and o.id = c.organization_id
     offset 0) a (uid, scope, scope_id, roles, status, organization_status, revoked_before)
$$;
