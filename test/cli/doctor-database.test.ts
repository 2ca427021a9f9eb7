import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeDatabase } from "../../src/cli/doctor/database.ts";
import { judgeFailure } from "../../src/cli/doctor/database-failure.ts";
import type { DatabaseFacts } from "../../src/storage/database-examination.ts";

const FACTS: DatabaseFacts = {
  versionNumber: 180_004,
  login: "keyturn_server",
  isSuperuser: false,
  bypassesRls: false,
  isOwner: false,
  writesTables: false,
  passwordEndsAt: null,
  isReadOnly: false,
  encoding: "UTF8",
  connectionsLeft: 10,
  unsafeSettings: [],
  clockAheadMs: 20,
  roundTripMs: 30,
  schema: "current",
  deniedFunctions: [],
  signingKeys: [],
};
const WISHES = { production: true, connectionsMax: 10, rootKeys: undefined, now: new Date() };

const wrongOf = (changes: Partial<DatabaseFacts>): string[] =>
  judgeDatabase({ ...FACTS, ...changes }, WISHES)
    .filter(({ level }) => level !== "ok")
    .map(({ check }) => check);

/** What no database of a test can be made to be: of another age, in another time, half lost. */
test("facts that no test can bring about are judged all the same", () => {
  assert.deepEqual(wrongOf({}), []);
  assert.deepEqual(wrongOf({ versionNumber: 130_022 }), ["database_old"]);
  assert.deepEqual(wrongOf({ versionNumber: 140_000 }), []);
  for (const clockAheadMs of [5_000, -5_000]) assert.deepEqual(wrongOf({ clockAheadMs }), ["clock_skew"]);
  assert.deepEqual(wrongOf({ clockAheadMs: 1_500, roundTripMs: 600 }), [], "a slow answer is no other time");
  assert.deepEqual(wrongOf({ encoding: "LATIN1" }), ["database_encoding"]);
  assert.deepEqual(wrongOf({ unsafeSettings: ["fsync"] }), ["database_unsafe"]);
});

test("each failure of a connection that has a name of its own gets it", () => {
  const checks = [
    "28P01",
    "3D000",
    "28000",
    "53300",
    "57P03",
    "CERT_HAS_EXPIRED",
    "ECONNREFUSED",
    "XX000",
  ].map((code) => judgeFailure(code).check);
  assert.deepEqual(checks, [
    "database_password",
    "database_missing",
    "database_login",
    "database_connections",
    "database_unreachable",
    "database_tls",
    "database_unreachable",
    "database_unreachable",
  ]);
});
