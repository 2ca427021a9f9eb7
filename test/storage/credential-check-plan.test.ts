import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openCredentialChecks } from "../../src/storage/credential-checks.ts";
import { openTokenStates } from "../../src/storage/token-states.ts";
import { type Explainer, openExplainer } from "../lists/explained.ts";
import { givenDatabase, type TestDatabase } from "../support/database.ts";

const ROWS = 100_000;

let db: TestDatabase;
let explainer: Explainer;
before(async () => {
  db = await givenDatabase();
  // Without the triggers that look up every foreign key.
  await db.sql.unsafe(`
    set session_replication_role = replica;
    insert into keyturn.organizations (id) select 'org-' || n from generate_series(1, ${ROWS / 10}) n;
    insert into keyturn.service_accounts (organization_id, id, display_name, scope_id, created_by)
    select 'org-' || 1 + n % ${ROWS / 10}, 'sa-' || n, 'Account', 'here', 'test' from generate_series(1, ${ROWS}) n;
    insert into keyturn.credentials
      (organization_id, service_account_id, id, secret_hash, hint, created_by, created_at, expires_at)
    select 'org-' || 1 + n % ${ROWS / 10}, 'sa-' || n, 'cred-' || n, repeat('x', 97), 'hint', 'test',
           clock_timestamp(), clock_timestamp() + interval '90 days' from generate_series(1, ${ROWS}) n;
    -- Half of them in one organization: its tokens must not take longer than those of others.
    insert into keyturn.revoked_tokens (organization_id, jti, expires_at)
    select 'org-' || 1 + n % 2 * n % ${ROWS / 10}, 'jti-' || n, clock_timestamp() from generate_series(1, ${ROWS}) n;
    reset session_replication_role;
    analyze keyturn.organizations, keyturn.service_accounts, keyturn.credentials, keyturn.revoked_tokens;`);
  explainer = openExplainer(db);
});
after(async () => {
  await explainer.close();
  await db.drop();
});

const INDEXES = ["credentials_by_id", "organizations_pkey", "service_accounts_pk"];

const { signal } = new AbortController();
/** Spread over the tables. */
const places = (count: number) => Array.from({ length: count }, (_, at) => 1 + ((at * 7_919) % ROWS));

for (const count of [1, 10, 256]) {
  test(`${count} of ${ROWS} credentials are read by their indexes alone`, async () => {
    const { tablesScanned, indexes, buffers, plan } = await explainer.explain((database) => {
      const ask = openCredentialChecks(database);
      return Promise.all(
        places(count).map((at) => ask({ credentialId: `cred-${at}`, address: "::1" }, signal)),
      );
    });
    assert.deepEqual(tablesScanned, [], plan);
    assert.deepEqual(indexes, INDEXES);
    // Three tables, each by an index of at most three levels.
    assert.ok(buffers <= count * 15, `${buffers} buffers ${plan}`);
  });

  test(`whether ${count} of ${ROWS} tokens hold is read by indexes alone`, async () => {
    const { tablesScanned, indexes, buffers, plan } = await explainer.explain((database) => {
      const { holds } = openTokenStates(database);
      const questions = Array.from({ length: count }, (_, at) => ({
        credentialId: `cred-${((at % 10) + 1) * (ROWS / 10)}`,
        clientId: `sa-${((at % 10) + 1) * (ROWS / 10)}@org-1.iam`,
        jti: at % 2 === 0 ? `not-revoked-${at}` : `jti-${at}`,
      }));
      return Promise.all(questions.map((question) => holds(question, signal)));
    });
    assert.deepEqual(tablesScanned, [], plan);
    assert.deepEqual(indexes, [...INDEXES, "revoked_tokens_pk"].sort());
    assert.ok(buffers <= count * 20, `${buffers} buffers ${plan}`);
  });
}
