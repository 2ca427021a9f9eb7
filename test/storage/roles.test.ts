import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { after, before, test } from "node:test";
import postgres from "postgres";
import { givenDatabase, type TestDatabase } from "../support/database.ts";

let db: TestDatabase;
/** The login of a server: a member of `keyturn_app` and nothing else. */
let server: postgres.Sql;
before(async () => {
  db = await givenDatabase();
  server = postgres(db.serverUrl, { max: 1, onnotice: () => {} });
});
after(async () => {
  await server.end();
  await db.drop();
});

const INSUFFICIENT_PRIVILEGE = "42501";
/** One function a file. */
const FUNCTIONS = new URL("../../src/storage/functions/", import.meta.url);

const TABLES = [
  "audit_chains",
  "audit_events",
  "credential_usage",
  "credentials",
  "event_delivery",
  "events",
  "expiry_notices",
  "migrations",
  "organizations",
  "replays",
  "revoked_tokens",
  "service_accounts",
  "signing_keys",
];
/** They run with the owner's rights: what the server may change, it changes by them. */
const MUTATIONS = [
  "accept_event",
  "add_signing_key",
  "claim_events",
  "claim_probe",
  "create_credential",
  "create_service_account",
  "delete_credential",
  "delete_service_account",
  "give_up_events",
  "postpone_event",
  "record_refusals",
  "record_uses",
  "rehash_credential",
  "report_leaked_credential",
  "revoke_organization_credentials",
  "revoke_service_account_credentials",
  "revoke_token",
  "rotate_credential",
  "sweep",
  "tell_expiring_credentials",
  "tell_refused_uses",
  "update_credential_policy",
  "update_service_account",
  "want_events",
];
/** What reads are made of. They run with the caller's rights. */
const READS = [
  "account_credential_states",
  "credential_checks",
  "credential_states",
  "etag_of",
  "policy_etag",
  "policy_facts",
  "revoked_before",
  "service_account_states",
];
/** What others than our functions call by names of their own choice, and the planner need not see through. */
const WITH_A_SEARCH_PATH = [...MUTATIONS, "policy_etag", "policy_facts", "set_organization_status"];

test("the server's login may read every table, and call the mutations and what reads are made of, and nothing else", async () => {
  const tables = await server`
    select relname, array_agg(right_ order by right_) filter (where has_table_privilege(c.oid, right_)) as rights
      from pg_class c,
           unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) as right_
     where relnamespace = 'keyturn'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f')
     group by relname order by relname`;
  assert.deepEqual(
    [...tables].map(({ relname, rights }) => [relname, rights]),
    TABLES.map((table) => [table, ["SELECT"]]),
  );

  const columns = await server`
    select relname, attname from pg_class c join pg_attribute a on a.attrelid = c.oid
     where relnamespace = 'keyturn'::regnamespace and relkind = 'r' and attnum > 0
       and has_column_privilege(c.oid, attnum, 'INSERT, UPDATE')`;
  assert.deepEqual([...columns], []);

  const callable = await server`
    select proname from pg_proc
     where pronamespace = 'keyturn'::regnamespace and has_function_privilege(oid, 'EXECUTE')`;
  assert.deepEqual(callable.map((row) => row["proname"]).sort(), [...MUTATIONS, ...READS].sort());
});

test("what others call fixes its search path, and only the mutations run as the owner", async () => {
  const functions = await db.sql`
    select proname, prosecdef, proconfig from pg_proc where pronamespace = 'keyturn'::regnamespace`;
  assert.equal(functions.length, readdirSync(FUNCTIONS).length);
  for (const { proname, prosecdef, proconfig } of functions) {
    const path = WITH_A_SEARCH_PATH.includes(proname) ? ["search_path=keyturn, pg_temp"] : null;
    assert.deepEqual(proconfig, path, proname);
    assert.equal(prosecdef, MUTATIONS.includes(proname), proname);
  }
});

/** For tables without an `organization_id`. */
const CHANGE_OF: Readonly<Record<string, string>> = {
  organizations: "uid = uid",
  event_delivery: "is_only = true",
  expiry_notices: "told_credential_id = ''",
  migrations: "hash = ''",
  signing_keys: "kid = 'x'",
};

const FORBIDDEN = [
  ...TABLES.flatMap((table) => [
    `insert into keyturn.${table} default values`,
    `update keyturn.${table} set ${CHANGE_OF[table] ?? "organization_id = 'x'"}`,
    `delete from keyturn.${table}`,
    `truncate keyturn.${table} cascade`,
    `select from keyturn.${table} for key share`,
    `do $$ begin lock table keyturn.${table} in row exclusive mode; end $$`,
    `alter table keyturn.${table} disable trigger all`,
    `drop table keyturn.${table} cascade`,
  ]),
  "create table keyturn.mine (id int)",
  "create view keyturn.mine as select 1",
  "create function keyturn.mine() returns int language sql return 1",
  "create or replace function keyturn.is_late(keyturn.caller) returns boolean language sql return false",
  "drop function keyturn.create_credential",
  "alter function keyturn.create_credential security invoker",
  "create trigger mine before insert on keyturn.credentials execute function suppress_redundant_updates_trigger()",
  "create policy mine on keyturn.credentials",
  "grant keyturn_owner to keyturn_server",
  "alter schema keyturn rename to theirs",
  "comment on schema keyturn is ''",
  "create schema mine",
  "create table public.mine (id int)",
  "set session_replication_role = replica",
  "set role keyturn_owner",
  "set role postgres",
  "set session authorization keyturn_owner",
  "alter role keyturn_server superuser",
  "copy keyturn.credentials to program 'cat'",
  "do language plpgsql $$ begin perform keyturn.audit_event_hash(null); end $$",
  "select keyturn.set_organization_status('org', 'suspended')",
  "create type keyturn.mine as (id int)",
  "alter type keyturn.caller add attribute mine int",
  "drop type keyturn.replay_claim cascade",
];
for (const statement of FORBIDDEN) {
  test(`the server's login may not: ${statement}`, async () => {
    await assert.rejects(server.unsafe(statement), { code: INSUFFICIENT_PRIVILEGE });
  });
}

test("a right that the server's login grants itself is not granted", async () => {
  await server.unsafe("grant insert on keyturn.credentials to keyturn_server");
  const [row] = await server`select has_table_privilege('keyturn.credentials', 'INSERT') as granted`;
  assert.equal(row?.["granted"], false);
});

test("no function but those can be called by the server's login", async () => {
  const others = await db.sql<{ call: string }[]>`
    select format('select keyturn.%I(%s)', proname,
             (select string_agg('null::' || format_type(type, null), ', ' order by place)
                from unnest(proargtypes) with ordinality as argument (type, place))) as call
      from pg_proc
     where pronamespace = 'keyturn'::regnamespace and proname <> all (${[...MUTATIONS, ...READS]})`;
  assert.equal(others.length, readdirSync(FUNCTIONS).length - MUTATIONS.length - READS.length);
  for (const { call } of others) {
    await assert.rejects(server.unsafe(call), { code: INSUFFICIENT_PRIVILEGE }, call);
  }
});
