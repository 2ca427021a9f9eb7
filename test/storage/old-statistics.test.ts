import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import postgres from "postgres";
import { openCredentialChecks } from "../../src/storage/credential-checks.ts";
import { SESSION_SETTINGS } from "../../src/storage/session-settings.ts";
import { openTokenStates } from "../../src/storage/token-states.ts";
import { type Explainer, openExplainer } from "../lists/explained.ts";
import { givenDatabase, type TestDatabase } from "../support/database.ts";

/** From the sixth run on PostgreSQL may take a plan that fits all parameters. */
const ROUNDS = 10;
/** Of a dozen trees, which grow by a level, and by what was deleted from the account. */
const GROWTH_MAX = 60;
const FEW = 10;
const MANY = 10_000;

let db: TestDatabase;
/** A connection like a server's. */
let session: postgres.Sql;
let explainer: Explainer;
before(async () => {
  db = await givenDatabase();
  explainer = openExplainer(db);
  session = postgres(db.superuserUrl, { max: 1, connection: SESSION_SETTINGS });
  const tables = await db.sql<{ name: string }[]>`
    select tablename as name from pg_tables where schemaname = 'keyturn'`;
  for (const { name } of tables)
    await db.sql`alter table keyturn.${db.sql(name)} set (autovacuum_enabled = off)`;
  await db.sql`insert into keyturn.organizations (id) values ('org')`;
});
after(async () => {
  await session.end();
  await explainer.close();
  await db.drop();
});

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
    select 'org', 'jti-' || n, clock_timestamp() from generate_series(${from}, ${to}) n;
    reset session_replication_role`);
}

const CALLER = `jsonb_populate_record(null::keyturn.caller,
  '{"organization_id":"org","issuer":"test","subject":"test","request_id":"test","budget_ms":60000}')`;
const BOUNDS = "row(3600, 60, 7200, 100)::keyturn.policy_bounds";
const USES = JSON.stringify([
  {
    organization_id: "org",
    service_account_id: "sa-3",
    credential_id: "cred-3",
    use_count: 1,
    refused_count: 0,
  },
]);

const newCredential = (id: string) => `jsonb_populate_record(null::keyturn.new_credential,
  '${JSON.stringify({ id, secret_hash: "no-hash", hint: "hint" })}')`;

/** Runs a function, and says how many shared buffers that touched. */
async function buffersOf(call: string): Promise<number> {
  const [row] = await session.unsafe(
    `explain (analyze, buffers, timing off, format json) select keyturn.${call}`,
  );
  const { Plan: plan } = row?.["QUERY PLAN"][0] ?? {};
  return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"];
}

const { signal } = new AbortController();

/** Shared buffers that each touches, once the sessions have settled on their plans. */
async function costs(): Promise<Map<string, number>> {
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
      create: `create_credential(${CALLER}, ${BOUNDS}, 'sa-3', ${newCredential(id)}, null)`,
      rotate: `rotate_credential(${CALLER}, ${BOUNDS}, 'sa-3', '${id}', null, '0 seconds', ${newCredential(`${id}-next`)}, null)`,
      delete: `delete_credential(${CALLER}, 'sa-3', '${id}-next', null)`,
    };
    for (const [name, call] of Object.entries(calls)) costs.set(name, await buffersOf(call));
  }
  return costs;
}

test("what is done often costs the same where tables have grown since they were analyzed", async (t) => {
  await givenAccounts(1, FEW);
  await db.sql`vacuum analyze`;
  const before = await costs();
  await givenAccounts(FEW + 1, MANY);
  const after = await costs();
  t.diagnostic(JSON.stringify([...before].map(([name, buffers]) => [name, buffers, after.get(name)])));
  for (const [name, buffers] of before) {
    const grown = after.get(name) ?? Number.NaN;
    assert.ok(grown <= buffers + GROWTH_MAX, `${name}: ${buffers} buffers became ${grown}`);
  }
});
