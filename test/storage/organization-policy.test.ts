import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { givenAccount, givenDatabase, type TestDatabase } from "../support/database.ts";
import { callCreate, DAY_SECONDS } from "./create-call.ts";

let db: TestDatabase;
before(async () => {
  db = await givenDatabase();
});
after(() => db.drop());

const TOO_LATE = "9999-12-31T23:59:59Z";

interface OrganizationPolicy {
  readonly default_lifetime_seconds?: number;
  readonly min_lifetime_seconds?: number;
  readonly max_lifetime_seconds?: number;
  readonly active_credentials_max?: number;
}

const hour = 3600;
/** `holds`: default, minimum and maximum lifetime in seconds, and the number of active credentials. */
const policies: { name: string; set: OrganizationPolicy; holds: number[] }[] = [
  { name: "nothing is the server's", set: {}, holds: [90 * DAY_SECONDS, 60, 365 * DAY_SECONDS, 5] },
  {
    name: "something stricter is its own",
    set: {
      default_lifetime_seconds: 2 * hour,
      min_lifetime_seconds: hour,
      max_lifetime_seconds: 3 * hour,
      active_credentials_max: 2,
    },
    holds: [2 * hour, hour, 3 * hour, 2],
  },
  {
    name: "something laxer ends at the server's bounds",
    set: {
      default_lifetime_seconds: 500 * DAY_SECONDS,
      min_lifetime_seconds: 1,
      max_lifetime_seconds: 900 * DAY_SECONDS,
      active_credentials_max: 50,
    },
    holds: [365 * DAY_SECONDS, 60, 365 * DAY_SECONDS, 5],
  },
  {
    name: "a maximum below the server's default shortens the default",
    set: { max_lifetime_seconds: hour },
    holds: [hour, 60, hour, 5],
  },
  {
    name: "a minimum above the server's default lengthens the default",
    set: { min_lifetime_seconds: 100 * DAY_SECONDS },
    holds: [100 * DAY_SECONDS, 100 * DAY_SECONDS, 365 * DAY_SECONDS, 5],
  },
];
for (const { name, set, holds } of policies) {
  test(`the policy of an organization that sets ${name}`, async () => {
    const account = await givenAccount(db.sql);
    if (Object.keys(set).length > 0) {
      await db.sql`update keyturn.organizations set ${db.sql({ ...set })} where id = ${account.organizationId}`;
    }
    const { created_at, expires_at } = await callCreate(db.sql, account);
    const below = await callCreate(db.sql, account, { expiresAt: new Date(Date.now() + 1000) });
    const above = await callCreate(db.sql, account, { expiresAt: TOO_LATE });
    for (const _ of Array(4)) await callCreate(db.sql, account);
    const { limit } = await callCreate(db.sql, account);
    const lifetime = (Number(expires_at) - Number(created_at)) / 1000;
    assert.deepEqual([lifetime, below.bound_seconds, above.bound_seconds, limit], holds);
  });
}
