import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { givenDatabase, type TestDatabase } from "../support/database.ts";

/** Tables that are of no organization. */
const OF_THE_SERVICE = ["event_delivery", "expiry_notices", "migrations", "signing_keys"];

let db: TestDatabase;
before(async () => {
  db = await givenDatabase();
});
after(() => db.drop());

test("the organization leads every unique index of what belongs to one, so that it can be distributed by organization", async () => {
  const rows = await db.sql<{ table: string; column: string }[]>`
    select c.relname as table, a.attname as column
      from pg_index x
      join pg_class c on c.oid = x.indrelid
      join pg_attribute a on a.attrelid = c.oid and a.attnum = x.indkey[0]
     where x.indisunique and c.relnamespace = 'keyturn'::regnamespace`;
  const tables = rows.filter(({ table }) => !OF_THE_SERVICE.includes(table));
  assert.ok(tables.length >= 9);
  for (const { table, column } of tables)
    assert.equal(column, table === "organizations" ? "id" : "organization_id", table);
});

test("the organization leads every foreign key, so that no reference leaves its shard", async () => {
  const rows = await db.sql<{ table: string; definition: string }[]>`
    select conrelid::regclass::text as table, pg_get_constraintdef(oid) as definition
      from pg_constraint where contype = 'f' and connamespace = 'keyturn'::regnamespace`;
  assert.ok(rows.length >= 4);
  for (const { table, definition } of rows)
    assert.match(
      definition,
      /^FOREIGN KEY \(organization_id\b.*\) REFERENCES \S+\((organization_)?id\b/,
      table,
    );
});
