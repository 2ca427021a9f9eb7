import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { givenDatabase, type TestDatabase } from "../support/database.ts";

let db: TestDatabase;
before(async () => {
  db = await givenDatabase();
});
after(() => db.drop());

const NOW = "2026-03-01 12:00:00.000+00";
const MIN = 60;
const MAX = 365 * 86_400;
const DEFAULT = 90 * 86_400;

interface Verdict {
  readonly verdict: string;
  /** Milliseconds from now. */
  readonly lifetime_ms: number;
  readonly bound_ms: number | null;
  readonly bound_seconds: number | null;
}

/** `requested` is SQL: what the caller may have asked for. */
async function judge(requested: string, policy: Partial<Record<"standard" | "min" | "max", number>> = {}) {
  const { standard = DEFAULT, min = MIN, max = MAX } = policy;
  const [row] = await db.sql.unsafe<Verdict[]>(`
    select verdict, bound_seconds,
           case when isfinite(expires_at) then (extract(epoch from expires_at - now_) * 1000)::float8 end as lifetime_ms,
           (extract(epoch from bound - now_) * 1000)::float8 as bound_ms
      from (select timestamptz '${NOW}' as now_) at,
           keyturn.judge_expiry(now_, ${requested}, ${standard}, ${min}, ${max})`);
  return row as Verdict;
}

const after_ = (ms: number): string => `now_ + interval '${ms} milliseconds'`;

const allowed = [
  { name: "exactly the minimum", requested: after_(MIN * 1000), lifetimeMs: MIN * 1000 },
  {
    name: "one millisecond above the minimum",
    requested: after_(MIN * 1000 + 1),
    lifetimeMs: MIN * 1000 + 1,
  },
  {
    name: "one millisecond below the maximum",
    requested: after_(MAX * 1000 - 1),
    lifetimeMs: MAX * 1000 - 1,
  },
  { name: "exactly the maximum", requested: after_(MAX * 1000), lifetimeMs: MAX * 1000 },
  { name: "nothing", requested: "null", lifetimeMs: DEFAULT * 1000 },
];
for (const { name, requested, lifetimeMs } of allowed) {
  test(`${name} is allowed and kept to the millisecond`, async () => {
    const verdict = { verdict: "allowed", lifetime_ms: lifetimeMs, bound_ms: null, bound_seconds: null };
    assert.deepEqual({ ...(await judge(requested)) }, verdict);
  });
}

const refused = [
  { name: "the beginning of time", requested: "'-infinity'", verdict: "expiry_in_past" },
  { name: "the year 1", requested: "'0001-01-01 00:00:00+00'", verdict: "expiry_in_past" },
  { name: "one millisecond ago", requested: after_(-1), verdict: "expiry_in_past" },
  { name: "this very moment", requested: after_(0), verdict: "expiry_in_past" },
  { name: "one millisecond from now", requested: after_(1), verdict: "expiry_below_minimum" },
  { name: "one below the minimum", requested: after_(MIN * 1000 - 1), verdict: "expiry_below_minimum" },
  { name: "one above the maximum", requested: after_(MAX * 1000 + 1), verdict: "expiry_above_maximum" },
  { name: "the year 9999", requested: "'9999-12-31 23:59:59.999+00'", verdict: "expiry_above_maximum" },
  { name: "the end of time", requested: "'infinity'", verdict: "expiry_above_maximum" },
];
const BOUND_SECONDS: Record<string, number> = {
  expiry_in_past: 0,
  expiry_below_minimum: MIN,
  expiry_above_maximum: MAX,
};
for (const { name, requested, verdict } of refused) {
  test(`${name} is refused as ${verdict}, with the bound that it missed`, async () => {
    const found = await judge(requested);
    const seconds = BOUND_SECONDS[verdict] as number;
    assert.deepEqual(
      { verdict: found.verdict, bound_ms: found.bound_ms, bound_seconds: found.bound_seconds },
      { verdict, bound_ms: seconds * 1000, bound_seconds: seconds },
    );
  });
}

const defaults = [
  { name: "above the maximum is the maximum", policy: { standard: 100, max: 99, min: 1 }, seconds: 99 },
  { name: "equal to the maximum is itself", policy: { standard: 99, max: 99, min: 1 }, seconds: 99 },
  { name: "below the minimum is the minimum", policy: { standard: 100, max: 300, min: 200 }, seconds: 200 },
  { name: "of one second is one second", policy: { standard: 1, max: 1, min: 1 }, seconds: 1 },
];
for (const { name, policy, seconds } of defaults) {
  test(`a default lifetime ${name}`, async () => {
    const { verdict, lifetime_ms } = await judge("null", policy);
    assert.deepEqual({ verdict, lifetime_ms }, { verdict: "allowed", lifetime_ms: seconds * 1000 });
  });
}

test("a lifetime is counted in seconds, over a change of the clocks too", async () => {
  await db.sql`set time zone 'America/New_York'`;
  try {
    // Between this March's first day and its last, New York puts its clocks forward by an hour.
    const policy = { standard: 30 * 86_400, min: 20 * 86_400, max: 30 * 86_400 };
    const { verdict, lifetime_ms } = await judge("null", policy);
    assert.deepEqual({ verdict, lifetime_ms }, { verdict: "allowed", lifetime_ms: policy.max * 1000 });
    assert.equal((await judge(after_(policy.max * 1000), policy)).verdict, "allowed");
    assert.equal((await judge(after_(policy.min * 1000 - 1), policy)).verdict, "expiry_below_minimum");
    assert.equal((await judge(after_(policy.max * 1000 + 1), policy)).verdict, "expiry_above_maximum");
  } finally {
    await db.sql`reset time zone`;
  }
});
