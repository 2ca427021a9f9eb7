import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { givenDatabase, type TestDatabase } from "../support/database.ts";
import { boundsOf, DAY_SECONDS } from "./create-call.ts";

let db: TestDatabase;
before(async () => {
  db = await givenDatabase();
});
after(() => db.drop());

interface Policy {
  readonly default_lifetime_seconds?: number | null;
  readonly min_lifetime_seconds?: number | null;
  readonly max_lifetime_seconds?: number | null;
  readonly active_credentials_max?: number | null;
}

const hour = 3600;
const day = DAY_SECONDS;

/** The server's bounds are 90 days, 1 minute, 365 days and five. */
async function judge(changes: Policy, stored: Policy = {}) {
  const [row] = await db.sql<{ verdict: Record<string, unknown> | null }[]>`
    select keyturn.judge_policy(
      jsonb_populate_record(null::keyturn.organizations, ${db.sql.json({ ...stored, ...changes })}),
      ${boundsOf(db.sql)}, ${db.sql.json({ ...changes })}) as verdict`;
  assert.ok(row);
  return row.verdict;
}

const allowed: { name: string; changes: Policy; stored?: Policy }[] = [
  { name: "nothing", changes: {} },
  { name: "exactly the server's minimum", changes: { min_lifetime_seconds: 60 } },
  { name: "exactly the server's maximum", changes: { max_lifetime_seconds: 365 * day } },
  { name: "as many as the server allows", changes: { active_credentials_max: 5 } },
  { name: "one", changes: { active_credentials_max: 1 } },
  {
    name: "one and the same lifetime for all three",
    changes: { min_lifetime_seconds: hour, default_lifetime_seconds: hour, max_lifetime_seconds: hour },
  },
  {
    name: "the server's own again, of everything",
    changes: {
      min_lifetime_seconds: null,
      default_lifetime_seconds: null,
      max_lifetime_seconds: null,
      active_credentials_max: null,
    },
    stored: { min_lifetime_seconds: hour, max_lifetime_seconds: hour, active_credentials_max: 1 },
  },
  { name: "a maximum below the server's default, which gives way", changes: { max_lifetime_seconds: hour } },
  {
    name: "a minimum above the server's default, which gives way",
    changes: { min_lifetime_seconds: 100 * day },
  },
  {
    name: "one value while another, which is older than the server's bounds, is outside them",
    changes: { max_lifetime_seconds: 30 * day },
    stored: { active_credentials_max: 50, min_lifetime_seconds: 1 },
  },
];
for (const { name, changes, stored } of allowed) {
  test(`a policy may set ${name}`, async () => {
    assert.equal(await judge(changes, stored), null);
  });
}

const refused: { name: string; changes: Policy; stored?: Policy; verdict: object }[] = [
  {
    name: "a minimum one second below the server's",
    changes: { min_lifetime_seconds: 59 },
    verdict: { field: "min_lifetime", minimum: 60 },
  },
  {
    name: "a minimum one second above its own maximum",
    changes: { min_lifetime_seconds: hour + 1 },
    stored: { max_lifetime_seconds: hour },
    verdict: { field: "min_lifetime", maximum: hour },
  },
  {
    name: "a minimum above the server's maximum, though its own was set higher once",
    changes: { min_lifetime_seconds: 366 * day },
    stored: { max_lifetime_seconds: 400 * day },
    verdict: { field: "min_lifetime", maximum: 365 * day },
  },
  {
    name: "a maximum one second above the server's",
    changes: { max_lifetime_seconds: 365 * day + 1 },
    verdict: { field: "max_lifetime", maximum: 365 * day },
  },
  {
    name: "a maximum one second below its own minimum",
    changes: { max_lifetime_seconds: hour - 1 },
    stored: { min_lifetime_seconds: hour },
    verdict: { field: "max_lifetime", minimum: hour },
  },
  {
    name: "a maximum below the server's minimum, though its own was set lower once",
    changes: { max_lifetime_seconds: 59 },
    stored: { min_lifetime_seconds: 1 },
    verdict: { field: "max_lifetime", minimum: 60 },
  },
  {
    name: "a default one second below the minimum",
    changes: { default_lifetime_seconds: 59 },
    verdict: { field: "default_lifetime", minimum: 60 },
  },
  {
    name: "a default one second above its own maximum",
    changes: { default_lifetime_seconds: hour + 1 },
    stored: { max_lifetime_seconds: hour },
    verdict: { field: "default_lifetime", maximum: hour },
  },
  {
    name: "a minimum above the default that it has",
    changes: { min_lifetime_seconds: hour + 1 },
    stored: { default_lifetime_seconds: hour },
    verdict: { field: "default_lifetime", minimum: hour + 1 },
  },
  {
    name: "a maximum below the default that it has",
    changes: { max_lifetime_seconds: hour - 1 },
    stored: { default_lifetime_seconds: hour },
    verdict: { field: "default_lifetime", maximum: hour - 1 },
  },
  {
    name: "no credential at all",
    changes: { active_credentials_max: 0 },
    verdict: { field: "max_active_credentials", minimum: 1 },
  },
  {
    name: "one credential more than the server allows",
    changes: { active_credentials_max: 6 },
    verdict: { field: "max_active_credentials", maximum: 5 },
  },
  {
    name: "wrong values everywhere, of which the first is told,",
    changes: { active_credentials_max: 0, default_lifetime_seconds: 1, min_lifetime_seconds: 1 },
    verdict: { field: "min_lifetime", minimum: 60 },
  },
];
for (const { name, changes, stored, verdict } of refused) {
  test(`a policy may not set ${name} and hears of the bound`, async () => {
    assert.deepEqual(await judge(changes, stored), verdict);
  });
}
