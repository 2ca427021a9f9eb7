import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { givenDatabase, type TestDatabase } from "../support/database.ts";

let db: TestDatabase;
before(async () => {
  db = await givenDatabase();
});
after(() => db.drop());

const FUNCTIONS = new URL("../../src/storage/functions/", import.meta.url);

/** The code of a function, without comments. */
const codeOf = (file: string) => readFileSync(new URL(file, FUNCTIONS), "utf8").replaceAll(/--.*$/gm, "");

test("what fixes no search path names the schema of everything that is ours", async () => {
  const [ours] = await db.sql<{ tables: string; types: string; functions: string }[]>`
    select (select string_agg(relname, '|') from pg_class c
             where relnamespace = 'keyturn'::regnamespace and relkind = 'r') as tables,
           (select string_agg(typname, '|') from pg_type
             where typnamespace = 'keyturn'::regnamespace and typtype = 'c') as types,
           (select string_agg(proname, '|') from pg_proc where pronamespace = 'keyturn'::regnamespace) as functions`;
  const unnamed = new RegExp(
    [
      String.raw`\b(?:from|join|into|update|only) (?:${ours?.tables})\b`,
      String.raw`(?<!\.)\b(?:${ours?.functions})\(`,
      String.raw`^ +\w+ (?:${ours?.types})\b|::(?:${ours?.types})\b`,
    ].join("|"),
    "gm",
  );
  const found = readdirSync(FUNCTIONS)
    .filter((file) => !codeOf(file).includes("set search_path"))
    .map((file) => [file, [...codeOf(file).matchAll(unnamed)].map(([text]) => text)]);
  assert.deepEqual(
    found.filter(([, names]) => names?.length !== 0),
    [],
  );
});
