import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { givenDatabase, type TestDatabase } from "../support/database.ts";

let db: TestDatabase;
before(async () => {
  db = await givenDatabase();
});
after(() => db.drop());

/** `facts` is SQL. */
async function detailsOf(facts: string): Promise<unknown> {
  const [row] = await db.sql.unsafe(`select keyturn.details_of(${facts}) as details`);
  return row?.["details"];
}

test("details are words, whatever the facts are", async () => {
  const facts = `{"limit": 5, "bound": "2026-01-01T00:00:00+00:00", "last_active": false, "roles": ["a", "b"]}`;
  assert.deepEqual(await detailsOf(`'${facts}'`), {
    limit: "5",
    bound: "2026-01-01T00:00:00+00:00",
    last_active: "false",
    roles: '["a", "b"]',
  });
});

test("details have nothing of what is null, and are none where there are no facts", async () => {
  assert.deepEqual(await detailsOf(`'{"last_used_at": null, "limit": 5}'`), { limit: "5" });
  assert.deepEqual(await detailsOf("'{}'"), {});
  assert.deepEqual(await detailsOf("null"), {});
});

test("details have no resource, no list, and nothing of a secret", async () => {
  const unseen = ["credential", "replaced", "service_account", "sealed_secret", "policy", "violations"];
  const facts = Object.fromEntries(unseen.map((name) => [name, { uid: "uid", secret: "secret" }]));
  assert.deepEqual(await detailsOf(`'${JSON.stringify({ ...facts, violation_count: 2 })}'`), {
    violation_count: "2",
  });
});
