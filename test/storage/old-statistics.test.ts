import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import postgres from "postgres";
import { openCredentialChecks } from "../../src/storage/credential-checks.ts";
import { SESSION_SETTINGS } from "../../src/storage/session-settings.ts";
import { openTokenStates } from "../../src/storage/token-states.ts";
import { type Explainer, openExplainer } from "../lists/explained.ts";
import { BOUNDS, buffersOf, callerOf, newCredential } from "../lists/function-costs.ts";
import { givenDatabase, type TestDatabase } from "../support/database.ts";

const ROUNDS = 10;
/** A lookup goes down trees that have grown by a level. */
const GROWTH_MAX = 20;
/** A mutation goes down a dozen, several times, and splits pages of some; by the size of a table it grows by thousands. */
const GROWTH_OF_MUTATION_MAX = 200;
const MUTATIONS: ReadonlySet<string> = new Set(["create", "rotate", "delete"]);
/** More than a page of each index: of those that are no larger, one that only contains an id may be taken for the one that begins with it. */
const FEW = 1_000;
const MANY = 30_000;

interface Sessions extends AsyncDisposable {
  /** A connection like a server's. */
  readonly session: postgres.Sql;
  readonly explainer: Explainer;
}

let db: TestDatabase;
beforeEach(async () => {
  db = await givenDatabase();
  const tables = await db.sql<{ name: string }[]>`
    select tablename as name from pg_tables where schemaname = 'keyturn'`;
  for (const { name } of tables)
    await db.sql`alter table keyturn.${db.sql(name)} set (autovacuum_enabled = off)`;
  await db.sql`insert into keyturn.organizations (id) values ('org')`;
});
afterEach(() => db.drop());

/** They have made no plan yet. */
function openSessions(): Sessions {
  const explainer = openExplainer(db);
  const session = postgres(db.superuserUrl, { max: 1, connection: SESSION_SETTINGS });
  return {
    session,
    explainer,
    async [Symbol.asyncDispose]() {
      await session.end();
      await explainer.close();
    },
  };
}

/** Accounts of these numbers with a credential each that was used, and as many revoked tokens. */
async function givenAccounts(from: number, to: number): Promise<void> {
  // Without the triggers that look up every foreign key.
  await db.sql.unsafe(`
    set session_replication_role = replica;
    insert into keyturn.service_accounts (organization_id, id, display_name, scope_id, created_by)
    select 'org', 'sa-' || n, 'Account', 'here', 'test' from generate_series(${from}, ${to}) n;
    insert into keyturn.credentials
      (organization_id, service_account_id, id, secret_hash, hint, created_by, created_at, expires_at)
    select 'org', 'sa-' || n, 'cred-' || n, repeat('x', 97), 'hint', 'test', clock_timestamp(),
           clock_timestamp() + interval '90 days' from generate_series(${from}, ${to}) n;
    insert into keyturn.credential_usage (organization_id, service_account_id, credential_id, last_used_at)
    select 'org', 'sa-' || n, 'cred-' || n, clock_timestamp() from generate_series(${from}, ${to}) n;
    insert into keyturn.revoked_tokens (organization_id, jti, expires_at)
    select 'org', 'jti-' || n, clock_timestamp() + interval '1 hour' from generate_series(${from}, ${to}) n;
    reset session_replication_role`);
}

const CALLER = callerOf("org");
const USES = JSON.stringify([
  {
    organization_id: "org",
    service_account_id: "sa-3",
    credential_id: "cred-3",
    use_count: 1,
    refused_count: 0,
  },
]);

const { signal } = new AbortController();

/** Shared buffers that each touches, for an account of its own that nothing was done to, once the functions are compiled and planned. */
async function costs({ session, explainer }: Sessions, account: string): Promise<Map<string, number>> {
  const check = await explainer.explain((database) =>
    openCredentialChecks(database)({ credentialId: "cred-3", address: "::1" }, signal),
  );
  const holds = await explainer.explain((database) =>
    openTokenStates(database).holds({ credentialId: "cred-3", clientId: "sa-3@org.iam", jti: "jti" }, signal),
  );
  const costs = new Map([
    ["check", check.buffers],
    ["holds", holds.buffers],
  ]);
  for (let round = 0; round < ROUNDS; round += 1) {
    const id = `cred-${performance.now()}`;
    const calls = {
      uses: `record_uses('${USES}'::jsonb)`,
      create: `create_credential(${CALLER}, ${BOUNDS}, '${account}', ${newCredential(id)}, null)`,
      rotate: `rotate_credential(${CALLER}, ${BOUNDS}, '${account}', '${id}', null, '0 seconds', ${newCredential(`${id}-next`)}, null)`,
      sweep: `sweep('90 days', 100)`,
      delete: `delete_credential(${CALLER}, '${account}', '${id}-next', null)`,
    };
    for (const [name, call] of Object.entries(calls)) costs.set(name, await buffersOf(session, call));
  }
  return costs;
}

test("what is done often costs the same where tables have grown since they were analyzed", async (t) => {
  await givenAccounts(1, FEW);
  await db.sql`vacuum analyze`;
  await using old = openSessions();
  const before = await costs(old, "sa-3");
  await givenAccounts(FEW + 1, MANY);
  await using fresh = openSessions();
  for (const [account, [whose, sessions]] of Object.entries({
    "sa-4": ["old", old],
    "sa-5": ["fresh", fresh],
  } as const)) {
    const after = await costs(sessions, account);
    t.diagnostic(`${whose}: ${textOf(before)}, ${textOf(after)}`);
    assertNoGrowth(before, after);
  }
});

test("what is done often costs the same where tables were never analyzed", async (t) => {
  await givenAccounts(1, FEW);
  await using few = openSessions();
  const before = await costs(few, "sa-3");
  await givenAccounts(FEW + 1, MANY);
  await using many = openSessions();
  const after = await costs(many, "sa-4");
  t.diagnostic(`${textOf(before)}, ${textOf(after)}`);
  assertNoGrowth(before, after);
});

test("a check reads its three rows where all accounts came after the tables were analyzed", async (t) => {
  await db.sql`vacuum analyze`;
  await givenAccounts(1, MANY);
  await using sessions = openSessions();
  const found = await costs(sessions, "sa-4");
  t.diagnostic(textOf(found));
  for (const name of ["check", "holds"]) assert.ok((found.get(name) ?? Number.NaN) <= 20, textOf(found));
});

const textOf = (costs: ReadonlyMap<string, number>): string => JSON.stringify(Object.fromEntries(costs));

function assertNoGrowth(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): void {
  for (const [name, buffers] of before) {
    const grown = after.get(name) ?? Number.NaN;
    const growthMax = MUTATIONS.has(name) ? GROWTH_OF_MUTATION_MAX : GROWTH_MAX;
    assert.ok(grown <= buffers + growthMax, `${name}: ${buffers} buffers became ${grown}`);
  }
}
