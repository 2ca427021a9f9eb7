import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import postgres from "postgres";
import { givenAccount, givenDatabase, type TestDatabase } from "../support/database.ts";
import { callCreate } from "./create-call.ts";

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

test("the server's login may read every table, and call create_credential and nothing else", async () => {
  const tables = await server`
    select relname, array_agg(right_ order by right_) filter (where has_table_privilege(c.oid, right_)) as rights
      from pg_class c,
           unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) as right_
     where relnamespace = 'keyturn'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f')
     group by relname`;
  assert.ok(tables.length >= 6);
  for (const { relname, rights } of tables) assert.deepEqual(rights, ["SELECT"], relname);

  const columns = await server`
    select relname, attname from pg_class c join pg_attribute a on a.attrelid = c.oid
     where relnamespace = 'keyturn'::regnamespace and relkind = 'r' and attnum > 0
       and has_column_privilege(c.oid, attnum, 'INSERT, UPDATE')`;
  assert.deepEqual([...columns], []);

  const callable = await server`
    select proname from pg_proc
     where pronamespace = 'keyturn'::regnamespace and has_function_privilege(oid, 'EXECUTE')`;
  assert.deepEqual(
    callable.map((row) => row["proname"]),
    ["create_credential"],
  );
});

test("every function fixes its search path, and only the one that the server calls runs as the owner", async () => {
  const functions = await db.sql`
    select proname, prosecdef, proconfig from pg_proc where pronamespace = 'keyturn'::regnamespace`;
  for (const { proname, prosecdef, proconfig } of functions) {
    assert.deepEqual(proconfig, ["search_path=keyturn, pg_temp"], proname);
    assert.equal(prosecdef, proname === "create_credential", proname);
  }
});

const TABLES = [
  "organizations",
  "service_accounts",
  "credentials",
  "credential_usage",
  "audit_events",
  "migrations",
];
const FORBIDDEN = [
  ...TABLES.flatMap((table) => [
    `insert into keyturn.${table} default values`,
    `update keyturn.${table} set ${table === "organizations" ? "uid = uid" : table === "migrations" ? "hash = ''" : "organization_id = 'x'"}`,
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
  "create or replace function keyturn.safest_to_delete(text, text, timestamptz) returns text language sql return ''",
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
  "do language plpgsql $$ begin perform keyturn.audit_event_hash('', '', null, 1, null, '', '', '', '', '', '', null, ''); end $$",
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

test("no helper of create_credential can be called by the server's login", async () => {
  const helpers = await db.sql<{ call: string }[]>`
    select format('select keyturn.%I(%s)', proname,
             (select string_agg('null::' || format_type(type, null), ', ' order by place)
                from unnest(proargtypes) with ordinality as argument (type, place))) as call
      from pg_proc where pronamespace = 'keyturn'::regnamespace and proname <> 'create_credential'`;
  assert.equal(helpers.length, 5);
  for (const { call } of helpers) {
    await assert.rejects(server.unsafe(call), { code: INSUFFICIENT_PRIVILEGE }, call);
  }
});

/** A function that raises, under the name and with the arguments of each of ours and of some that ours call. */
async function shadowFunctions(schema: string): Promise<string[]> {
  const shadows = await db.sql<{ definition: string }[]>`
    select format(
             'create function ${db.sql.unsafe(schema)}.%I(%s) returns %s language plpgsql as '
             '$shadow$ begin raise exception ''shadowed''; end $shadow$',
             proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid)) as definition
      from pg_proc p
     where (pronamespace = 'keyturn'::regnamespace and proname <> 'create_credential')
        or p.oid = any(${["clock_timestamp()", "statement_timestamp()", "date_trunc(text, timestamptz)", "sha256(bytea)"]}::regprocedure[])`;
  assert.equal(shadows.length, 9);
  return shadows.map(({ definition }) => definition);
}

test("tables, functions and operators of the same names on the caller's search path redirect nothing", async () => {
  const account = await givenAccount(db.sql);
  for (const definition of await shadowFunctions("public")) await db.sql.unsafe(definition);
  await db.sql.unsafe(`
    create function public.never(timestamptz, timestamptz) returns boolean language plpgsql
      as $$ begin raise exception 'shadowed'; end $$;
    create operator public.> (leftarg = timestamptz, rightarg = timestamptz, function = public.never);`);
  for (const table of TABLES) {
    await db.sql.unsafe(`create table public.${table} (like keyturn.${table} including all)`);
    await server.unsafe(`create temp table ${table} (like keyturn.${table} including all)`);
  }
  for (const definition of await shadowFunctions("pg_temp")) await server.unsafe(definition);
  await server.unsafe("set search_path = pg_temp, public, pg_catalog");
  await assert.rejects(server`select clock_timestamp()`, /shadowed/);

  const credentialId = "cred-real";
  assert.equal((await callCreate(server, account, { credentialId })).outcome, "created");
  const full = await callCreate(server, account, { activeMax: 1 });
  assert.deepEqual([full.outcome, full.safest_to_delete], ["limit_reached", credentialId]);
  for (const table of ["credentials", "audit_events", "service_accounts"]) {
    const [temporary] = await server.unsafe(`select from pg_temp.${table}`);
    const [inPublic] = await db.sql.unsafe(`select from public.${table}`);
    assert.deepEqual([temporary, inPublic], [undefined, undefined], table);
  }
});
