import { test } from "node:test";
import postgres from "postgres";
import { givenDatabase } from "./support/database.ts";
import { migrate } from "../src/storage/migrate.ts";
process.on("uncaughtException", (e) => console.log("UNCAUGHT", e.message));
test("kill", async () => {
  const db = await givenDatabase("empty");
  await db.sql.unsafe(`
   create schema probe; create sequence probe.n; create table probe.kill(at int);
   insert into probe.kill values (1);
   create function probe.f() returns event_trigger language plpgsql as $$ begin
     if nextval('probe.n') = (select at from probe.kill) then perform pg_terminate_backend(pg_backend_pid()); end if; end $$;
   create event trigger probe on ddl_command_end when tag in ('CREATE TABLE','CREATE SCHEMA','ALTER TABLE','CREATE INDEX','CREATE FUNCTION') execute function probe.f();
   grant usage on schema probe to public; grant all on all tables in schema probe to public; grant all on probe.n to public; `);
  for (let n = 1; n < 40; n++) {
    await db.sql.unsafe(`update probe.kill set at = ${n}; select setval('probe.n', 1, false)`);
    const r = await Promise.race([migrate(db.ownerUrl).then((r) => r.kind, (e) => `${e.code} ${e.message.slice(0,80)}`), new Promise(r => setTimeout(r, 15000, 'HANG'))]);
    const t = await db.sql`select string_agg(relname, ',') as t from pg_class where relnamespace = to_regnamespace('keyturn') and relkind='r'`;
    const f = await db.sql`select count(*)::int as f from pg_proc where pronamespace = to_regnamespace('keyturn')`;
    const m = await db.sql.unsafe(`select to_regclass('keyturn.migrations') is not null as m`);
    const rows = m[0]!.m ? await db.sql.unsafe('select count(*)::int as c from keyturn.migrations') : [];
    console.log(n, r, t[0]!.t, 'functions', f[0]!.f, 'migrations', rows[0]?.c);
    if (r === 'HANG') break;
    if (r === 'migrated' || r === 'up_to_date') break;
  }
  await db.drop();
});
