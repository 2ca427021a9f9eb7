/** The proof that the race is a race: what the row's lock and that of the chain's head keep away, seen without them. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import postgres from "postgres";
import { type Account, callCreate } from "../storage/create-call.ts";
import { auditFaults } from "../support/audit.ts";
import { givenAccount, givenDatabase, type TestDatabase } from "../support/database.ts";

const LOCK = definitionOf("lock_service_account");
const APPEND = definitionOf("append_audit_event");
const CALLERS = 24;
const ROUNDS = 10;
const LIMIT = 5;

test("with the lock, a race over bare connections leaves five and refuses the rest by the limit", async () => {
  for (const round of await racesWith(LOCK, givenAccount)) {
    assert.deepEqual(round, {
      active: LIMIT,
      outcomes: { done: LIMIT, credential_limit_reached: CALLERS - LIMIT },
      faults: [],
    });
  }
});

test("without the lock, the same race leaves more than five", async () => {
  const rounds = await racesWith(without(LOCK, /for no key update/), givenAccount);
  assert.ok(
    rounds.some(({ active }) => active > LIMIT),
    JSON.stringify(rounds),
  );
});

test("with the lock of its head, a race of refusals leaves the organization one chain without gaps", async () => {
  for (const round of await racesWith(APPEND, givenNoAccount)) {
    assert.deepEqual(round, { active: 0, outcomes: { not_found: CALLERS }, faults: [] });
  }
});

test("without the lock of its head, refusals collide in the organization's chain", async () => {
  const rounds = await racesWith(without(APPEND, /for no key update/), givenNoAccount);
  assert.ok(
    rounds.some(({ outcomes }) => (outcomes["23505"] ?? 0) > 0),
    JSON.stringify(rounds),
  );
});

interface Round {
  readonly active: number;
  /** How many creates ended with each outcome, or with each SQLSTATE. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** What is wrong with the audit trail. */
  readonly faults: readonly string[];
}

type GivenAccount = (sql: postgres.Sql) => Promise<Account>;

const givenNoAccount: GivenAccount = async () => ({
  organizationId: `org-${randomBytes(5).toString("hex")}`,
  id: "sa-unknown",
});

/** Races on fresh accounts, in a database of its own with this definition of a function. */
async function racesWith(definition: string, given: GivenAccount): Promise<Round[]> {
  const db = await givenDatabase();
  const callers = Array.from({ length: CALLERS }, () =>
    postgres(db.serverUrl, { max: 1, fetch_types: false }),
  );
  try {
    await db.sql.unsafe(definition);
    await Promise.all(callers.map((caller) => caller`select 1`));
    const rounds: Round[] = [];
    while (rounds.length < ROUNDS) rounds.push(await race(db, callers, await given(db.sql)));
    return rounds;
  } finally {
    await Promise.all(callers.map((caller) => caller.end({ timeout: 1 })));
    await db.drop();
  }
}

async function race(db: TestDatabase, callers: readonly postgres.Sql[], account: Account): Promise<Round> {
  const outcomes: Record<string, number> = {};
  for (const outcome of await Promise.all(callers.map((caller) => create(caller, account)))) {
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
  const [row] = await db.sql<{ active: number }[]>`
    select count(*)::int as active from keyturn.credentials
     where organization_id = ${account.organizationId} and service_account_id = ${account.id}`;
  return { active: row?.active ?? 0, outcomes, faults: await auditFaults(db.sql, account.organizationId) };
}

async function create(sql: postgres.Sql, account: Account): Promise<string> {
  try {
    return (await callCreate(sql, account, { activeMax: LIMIT })).outcome;
  } catch (err) {
    return String((err as { code?: unknown }).code);
  }
}

function definitionOf(name: string): string {
  return readFileSync(new URL(`../../src/storage/functions/${name}.sql`, import.meta.url), "utf8");
}

/** Fails when there is nothing to take out, so that the proof cannot go stale unseen. */
function without(definition: string, part: RegExp): string {
  assert.match(definition, part);
  return definition.replace(part, "");
}
