import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import postgres from "postgres";
import { givenAccount, givenDatabase } from "../support/database.ts";
import { claim, create, type EventRow, eventsOf, postpone, wantEvents } from "./given-events.ts";

/** The statements of a document's SQL blocks, as whoever reads it would paste them. */
const statementsIn = (file: string): string[] =>
  [...readFileSync(file, "utf8").matchAll(/^```sql\n([^`]*)^```/gm)].flatMap(([, block = ""]) =>
    block.trim().split("\n"),
  );

test("by the runbook the owner of the schema finds an event that is refused for ever, and takes it away", async (t) => {
  const db = await givenDatabase();
  const owner = postgres(db.ownerUrl, { max: 1, onnotice: () => {} });
  t.after(() => owner.end().then(() => db.drop()));
  await wantEvents(db.sql);
  const account = await givenAccount(db.sql);
  await create(db.sql, account, 2);
  const [claimed] = await claim(db.sql);
  await postpone(db.sql, claimed, "1 hour");
  const [stuck, next] = await eventsOf(db.sql, account);
  const [find = "", takeAway = ""] = statementsIn("docs/runbook.md");
  const [found, ...more] = await owner.unsafe<(EventRow & { readonly id: string })[]>(find);
  assert.deepEqual(more, [], "the next waits behind it");
  assert.equal(found?.type, stuck?.type);
  assert.equal(found?.attempts, 1);
  assert.ok(takeAway.includes("'…'"), takeAway);
  await owner.unsafe(takeAway.replace("…", String(found?.id)));
  const left = await eventsOf(db.sql, account);
  assert.deepEqual(
    left.map(({ sequence }) => sequence),
    [next?.sequence],
  );
  assert.equal((await claim(db.sql))[0]?.sequence, next?.sequence, "its account goes on");
});
