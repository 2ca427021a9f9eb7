import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { AuditScope } from "../../src/storage/audit-pages.ts";
import { chainsOfServiceAccount, verifyAuditTrail } from "../../src/storage/audit-verification.ts";
import type { AuditFinding } from "../../src/storage/chain-check.ts";
import type { Database } from "../../src/storage/database.ts";
import { givenDatabase, type TestDatabase } from "../support/database.ts";
import { CHANGES, type Chain, givenChain, lengthen, TAMPERINGS, tamper } from "../support/given-chain.ts";
import { givenPool } from "../support/given-pool.ts";

let db: TestDatabase;
/** By the login of a server. */
let pool: Database;
before(async () => {
  db = await givenDatabase();
  pool = givenPool(db.serverUrl);
});
after(async () => {
  await pool.close(0);
  await db.drop();
});

async function verified(scope: AuditScope, from: Database = pool) {
  const findings: AuditFinding[] = [];
  const total = await verifyAuditTrail(from, scope, { onFinding: (finding) => findings.push(finding) });
  assert.equal(total.findings, findings.length);
  return { ...total, findings };
}

const briefly = (findings: readonly AuditFinding[]) =>
  findings.map(({ sequence, problem }) => [Number(sequence), problem.kind]);

for (const { name, statements, found } of TAMPERINGS) {
  for (const pageRows of [1, 2, 3, 4, 5, 2_000]) {
    test(`${name} is found, with pages of ${pageRows} rows`, async () => {
      const chain = await givenChain(db.sql);
      const others = [await givenChain(db.sql, chain), await givenChain(db.sql, chain)];
      await tamper(db.sql, chain, statements);
      const { findings } = await verified({ organizationId: chain.organizationId, pageRows });
      assert.deepEqual(briefly(findings), found);
      for (const { organizationId, serviceAccountUid } of findings)
        assert.deepEqual([organizationId, serviceAccountUid], [chain.organizationId, chain.uid]);
      for (const { organizationId, uid } of others)
        assert.deepEqual((await verified({ organizationId, serviceAccountUid: uid })).findings, []);
    });
  }
}

for (const change of CHANGES) {
  test(`a row with ${change} is found`, async () => {
    const chain = await givenChain(db.sql);
    const statement = `update keyturn.audit_events set ${change} where service_account_uid = $1 and sequence = 3`;
    await tamper(db.sql, chain, [statement]);
    const { findings } = await verified({ organizationId: chain.organizationId });
    assert.deepEqual(briefly(findings)[0], [3, "row_changed"]);
  });
}

test("a row that was moved into another chain is missing in its own and named in the other", async () => {
  const chain = await givenChain(db.sql);
  const other = await givenChain(db.sql, chain);
  await db.sql`
    update keyturn.audit_events set service_account_uid = ${other.uid}, sequence = 5
     where service_account_uid = ${chain.uid} and sequence = 2`;
  const { findings } = await verified({ organizationId: chain.organizationId });
  const of = ({ uid }: Chain) => briefly(findings.filter((finding) => finding.serviceAccountUid === uid));
  assert.deepEqual(of(chain), [[3, "rows_missing"]]);
  assert.deepEqual(of(other), [
    [5, "row_out_of_order"],
    [5, "row_changed"],
    [5, "head_behind"],
  ]);
});

test("a hash function that was replaced in the database hides nothing", async () => {
  const own = await givenDatabase();
  const reader = givenPool(own.serverUrl);
  try {
    const chain = await givenChain(own.sql);
    await tamper(own.sql, chain, [
      "update keyturn.audit_events set outcome = 'x' where service_account_uid = $1 and sequence = 2",
    ]);
    await own.sql.unsafe(`
      create or replace function keyturn.audit_event_hash(p_event keyturn.audit_events) returns bytea
      language sql stable set search_path = keyturn, pg_temp as 'select p_event.hash'`);
    assert.deepEqual(briefly((await verified({}, reader)).findings), [[2, "row_changed"]]);
  } finally {
    await reader.close(0);
    await own.drop();
  }
});

/** Lets a writer work between one page and the next, for so many pages. */
function withWritesBetweenPages(pages: number, write: () => Promise<void>): Database {
  let left = pages;
  return {
    ...pool,
    async run(signal, statement, group) {
      const rows = await pool.run(signal, statement, group);
      if (left-- > 0) await write();
      return rows;
    },
  };
}

for (const pageRows of [1, 2, 3, 4, 7]) {
  test(`rows and chains that are written between pages of ${pageRows} rows are no fault`, async () => {
    const chain = await givenChain(db.sql);
    const chains = [chain, await givenChain(db.sql, chain), await givenChain(db.sql, chain)];
    const { organizationId } = chain;
    let writes = 0;
    const busy = withWritesBetweenPages(30, async () => {
      writes += 1;
      for (const one of chains) await lengthen(db.sql, one, 1);
      if (writes % 5 === 0) chains.push(await givenChain(db.sql, { organizationId, rows: 2 }));
    });
    const { findings, rows } = await verified({ organizationId, pageRows }, busy);
    assert.deepEqual(findings, []);
    assert.ok(rows > 12 && writes >= 5, `${rows} rows, ${writes} writes`);
  });
}

test("an account that was made again under its id has two chains, and both are found by that id", async () => {
  const first = await givenChain(db.sql);
  const { organizationId, id } = first;
  await db.sql`delete from keyturn.service_accounts where organization_id = ${organizationId} and id = ${id}`;
  const [again] = await db.sql<{ uid: string }[]>`
    insert into keyturn.service_accounts (organization_id, id, display_name, scope_id, created_by)
    values (${organizationId}, ${id}, 'Again', ${organizationId}, 'test') returning uid`;
  await lengthen(db.sql, first, 1);
  const uids = [first.uid, again?.uid ?? ""].sort();
  assert.deepEqual(await chainsOfServiceAccount(pool, organizationId, id), uids);
  assert.deepEqual(await chainsOfServiceAccount(pool, organizationId, first.uid), [first.uid]);
  assert.deepEqual((await verified({ organizationId })).findings, []);
});

test("every page is read by keys alone, however large the tables are", async () => {
  const url = new URL(db.serverUrl);
  // The tables of a test are so small that nothing but this makes an index worth its while.
  for (const method of ["seqscan", "sort", "bitmapscan"]) url.searchParams.set(`enable_${method}`, "off");
  const planner = givenPool(url.href);
  try {
    const plans: string[] = [];
    await verifyAuditTrail(explaining(planner, plans), {}, { onFinding: () => {} });
    assert.equal(plans.length, 3);
    for (const plan of plans) assert.doesNotMatch(plan, /Sort|Seq Scan|SubPlan|Hash|Merge/);
  } finally {
    await planner.close(0);
  }
});

/** Asks for the plan of each page instead of the page. */
function explaining(planner: Database, plans: string[]): Database {
  return {
    ...planner,
    async run(signal, statement, group) {
      const rows = await planner.run<{ "QUERY PLAN": string }>(
        signal,
        (sql) => {
          const explain = (strings: TemplateStringsArray, ...values: never[]) => {
            const [first = "", ...rest] = strings;
            const texts = [first.replace(/^\s*select t\./, "explain select t."), ...rest];
            return sql(Object.assign(texts, { raw: texts }), ...values);
          };
          return statement(explain as unknown as typeof sql) as never;
        },
        group,
      );
      plans.push(rows.map((row) => row["QUERY PLAN"]).join("\n"));
      return [];
    },
  };
}
