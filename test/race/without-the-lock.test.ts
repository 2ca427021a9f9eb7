/** The proof that the race is a race: what the row lock and the chain of audit rows keep away, seen without them. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import postgres from "postgres";
import { givenAccount, givenDatabase, type TestDatabase } from "../support/database.ts";

const FUNCTION = readFileSync(
  new URL("../../src/storage/functions/create_credential.sql", import.meta.url),
  "utf8",
);
const CALLERS = 24;
const ROUNDS = 10;
const LIMIT = 5;

test("with the lock, a race over bare connections leaves five and refuses the rest by the limit", async () => {
  for (const round of await racesWith(FUNCTION)) {
    assert.deepEqual(round, { active: LIMIT, outcomes: { created: LIMIT, limit_reached: CALLERS - LIMIT } });
  }
});

test("without the lock, the same race fails: creates collide in the chain of audit rows", async () => {
  const rounds = await racesWith(without(FUNCTION, /for no key update/));
  assert.ok(
    rounds.some(({ outcomes }) => (outcomes["23505"] ?? 0) > 0),
    JSON.stringify(rounds),
  );
});

test("without the lock and the chain, the same race leaves more than five", async () => {
  const unlocked = without(FUNCTION, /for no key update/);
  const rounds = await racesWith(without(unlocked, /perform append_audit_event\([^;]*\);/));
  assert.ok(
    rounds.some(({ active }) => active > LIMIT),
    JSON.stringify(rounds),
  );
});

interface Round {
  readonly active: number;
  /** How many creates ended with each outcome, or with each SQLSTATE. */
  readonly outcomes: Readonly<Record<string, number>>;
}

/** Races on fresh accounts, in a database of its own whose create_credential is this one. */
async function racesWith(definition: string): Promise<Round[]> {
  const db = await givenDatabase();
  const callers = Array.from({ length: CALLERS }, () =>
    postgres(db.serverUrl, { max: 1, fetch_types: false }),
  );
  try {
    await db.sql.unsafe(definition);
    await Promise.all(callers.map((caller) => caller`select 1`));
    const rounds: Round[] = [];
    while (rounds.length < ROUNDS) rounds.push(await race(db, callers));
    return rounds;
  } finally {
    await Promise.all(callers.map((caller) => caller.end({ timeout: 1 })));
    await db.drop();
  }
}

async function race(db: TestDatabase, callers: readonly postgres.Sql[]): Promise<Round> {
  const account = await givenAccount(db.sql);
  const outcomes: Record<string, number> = {};
  for (const outcome of await Promise.all(callers.map((caller) => create(caller, account)))) {
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
  const [row] = await db.sql<{ active: number }[]>`
    select count(*)::int as active from keyturn.credentials
     where organization_id = ${account.organizationId} and service_account_id = ${account.id}`;
  return { active: row?.active ?? 0, outcomes };
}

async function create(
  sql: postgres.Sql,
  account: { readonly organizationId: string; readonly id: string },
): Promise<string> {
  const credentialId = `cred-${randomBytes(10).toString("hex")}`;
  try {
    const [row] = await sql<{ outcome: string }[]>`
      select outcome from keyturn.create_credential(
        ${account.organizationId}, ${account.id}, ${credentialId}, '$argon2id$', 'hint', null,
        7776000, 60, 31536000, ${LIMIT}, 'issuer', 'subject', null, 'request', 10000)`;
    return row?.outcome ?? "no answer";
  } catch (err) {
    return String((err as { code?: unknown }).code);
  }
}

/** Fails when there is nothing to take out, so that the proof cannot go stale unseen. */
function without(definition: string, part: RegExp): string {
  assert.match(definition, part);
  return definition.replace(part, "");
}
