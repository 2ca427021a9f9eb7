import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { test } from "node:test";

/** What the release before may still use, taken away or made another; or what a row of its would lack. */
const BREAKING: readonly RegExp[] = [
  /\bdrop (table|column|function|type|schema|view|sequence)\b/i,
  /\brename\b/i,
  /\balter column \S+ (set data type|type|set not null|drop default)\b/i,
  // A row that is written as `row(…)::type` has as many fields as the type.
  /\balter type\b/i,
  /\badd column (?=.*\bnot null\b)(?!.*\b(default|generated)\b)/i,
  /\badd constraint\b/i,
];

/** Written before there was a release that could have been the one before. */
const UNRELEASED = 4;

/** What is allowed all the same, because the release before does not use it, or does so no more. */
const ALLOWED: readonly (readonly [file: string, statement: string, reason: string])[] = [];

const breaks = (statement: string) => BREAKING.some((pattern) => pattern.test(statement));

test("what a migration does, the release before can live with", () => {
  const files = globSync("src/storage/migrations/*.sql").sort().slice(UNRELEASED);
  const broken = files.flatMap((path) =>
    readFileSync(path, "utf8")
      .split("--> statement-breakpoint")
      .map((statement) => statement.trim())
      .filter(breaks)
      .filter((statement) => !ALLOWED.some(([file, text]) => file === basename(path) && text === statement))
      .map((statement) => `${basename(path)}: ${statement}`),
  );
  assert.deepEqual(broken, []);
});

const BREAKS = [
  'ALTER TABLE "keyturn"."credentials" DROP COLUMN "hint";',
  'ALTER TABLE "keyturn"."credentials" RENAME COLUMN "hint" TO "ending";',
  'ALTER TABLE "keyturn"."credentials" ALTER COLUMN "hint" SET DATA TYPE varchar(4);',
  'ALTER TABLE "keyturn"."credentials" ALTER COLUMN "hint" SET NOT NULL;',
  'ALTER TABLE "keyturn"."credentials" ADD COLUMN "kind" text NOT NULL;',
  'ALTER TABLE "keyturn"."credentials" ADD CONSTRAINT "short" CHECK (length("hint") < 4);',
  'ALTER TYPE "keyturn"."caller" ADD ATTRIBUTE "kind" text;',
  'DROP FUNCTION IF EXISTS "keyturn"."record_outcome";',
  'DROP TABLE "keyturn"."replays";',
];
const HOLDS = [
  'ALTER TABLE "keyturn"."credentials" ADD COLUMN "kind" text;',
  `ALTER TABLE "keyturn"."credentials" ADD COLUMN "kind" text DEFAULT 'plain' NOT NULL;`,
  'ALTER TABLE "keyturn"."credentials" ALTER COLUMN "hint" DROP NOT NULL;',
  'CREATE TABLE "keyturn"."kinds" ("name" text PRIMARY KEY NOT NULL);',
  'CREATE INDEX "by_hint" ON "keyturn"."credentials" USING btree ("hint");',
  'DROP INDEX "keyturn"."by_hint";',
];

test("the rule knows what breaks the release before from what does not", () => {
  assert.deepEqual(BREAKS.filter(breaks), BREAKS);
  assert.deepEqual(HOLDS.filter(breaks), []);
});
