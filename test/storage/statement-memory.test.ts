import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createLane, type Lane, type Statement } from "../../src/storage/lane.ts";
import { givenDatabase, type TestDatabase } from "../support/database.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

let db: TestDatabase;
let lane: Lane;
before(async () => {
  db = await givenDatabase();
  lane = createLane({
    url: db.serverUrl,
    statementTimeoutMs: 5_000,
    lockTimeoutMs: 5_000,
    cancelGraceMs: 5_000,
  });
});
after(async () => {
  await lane.close();
  await db.drop();
});

/** Runs a statement for somebody who has a secret in hand, and gives what would show that he is still known. */
async function ran(statementOf: (call: { readonly secret: string }) => Statement<object>) {
  const call = { secret: `secret ${Math.random()}` };
  const { answer, free } = lane.run(new AbortController().signal, statementOf(call));
  await answer;
  await free;
  return new WeakRef(call);
}

const STATEMENTS: Readonly<Record<string, Parameters<typeof ran>[0]>> = {
  "the first of a connection": (call) => (sql) => sql`select length(${call.secret}) as length`,
  "a later one": (call) => (sql) => sql`select upper(${call.secret}) as text`,
  "one that is put together from pieces": (call) => (sql) =>
    sql`select ${sql`lower(${call.secret})`} as text`,
};

for (const [what, statementOf] of Object.entries(STATEMENTS))
  test(`nothing of who sent a statement first lives on: ${what}`, async () => {
    const call = await ran(statementOf);
    // A WeakRef holds what it points at until the turn in which it was made is over.
    await delay(1);
    collect();
    assert.equal(call.deref(), undefined);
  });
