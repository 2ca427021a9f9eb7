import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { abortFault } from "../../src/domain/fault.ts";
import { type CheckQuestion, openCredentialChecks } from "../../src/storage/credential-checks.ts";
import type { Database } from "../../src/storage/database.ts";
import { givenAccount, givenDatabase, type TestDatabase } from "../support/database.ts";
import { givenPool } from "../support/given-pool.ts";
import { CHECKED_STATES } from "./checked-states.ts";
import { freshCredentialId } from "./create-call.ts";
import { givenCredential } from "./stored-credential.ts";

let db: TestDatabase;
/** With the login of a server. */
let pool: Database;
const statements = { count: 0 };
const counted = (): Database => ({
  ...pool,
  run: (...args) => {
    statements.count += 1;
    return pool.run(...args);
  },
});
before(async () => {
  db = await givenDatabase();
  pool = givenPool(db.serverUrl, 2);
});
after(async () => {
  await pool.close(1_000);
  await db.drop();
});

const { signal } = new AbortController();

async function checked(credentialId: string, address?: string) {
  return openCredentialChecks(pool)({ credentialId, address }, signal);
}

for (const { name, refusal, make } of CHECKED_STATES) {
  test(`a credential that is ${name} is ${refusal ?? "good"}`, async () => {
    const account = await givenAccount(db.sql);
    const found = await checked(await make(db.sql, account));
    if (refusal === "unknown") assert.equal(found, undefined);
    else assert.deepEqual([found?.refusal, found?.principal.serviceAccountId], [refusal, account.id]);
  });
}

test("a check tells whose the secret is, its hash, and when that was so by the database's clock", async () => {
  const account = await givenAccount(db.sql);
  const credentialId = await givenCredential(db.sql, account);
  await db.sql`
    update keyturn.service_accounts set scope = 'project', scope_id = 'p-1', roles = ${'{reader,"a,\\"b\\" {c}",NULL_}'}
     where organization_id = ${account.organizationId}`;
  const [row] = await db.sql`
    select c.uid, a.uid as account_uid, c.expires_at, clock_timestamp() as before
      from keyturn.credentials c join keyturn.service_accounts a using (organization_id)
     where c.id = ${credentialId}`;
  const found = await checked(credentialId);
  const [{ now } = {}] = await db.sql`select clock_timestamp() as now`;
  const { checkedAt, ...principal } = found?.principal ?? assert.fail("not found");
  assert.deepEqual(principal, {
    organizationId: account.organizationId,
    serviceAccountId: account.id,
    serviceAccountUid: row?.["account_uid"],
    credentialId,
    credentialUid: row?.["uid"],
    scope: "project",
    scopeId: "p-1",
    roles: ["reader", 'a,"b" {c}', "NULL_"],
    expiresAt: row?.["expires_at"],
  });
  assert.equal(found?.secretHash, "no-hash");
  assert.ok(row?.["before"] <= checkedAt && checkedAt <= now, checkedAt.toISOString());
});

test("the clock of this process decides nothing", async (t) => {
  const account = await givenAccount(db.sql);
  const live = await givenCredential(db.sql, account, { remainingSeconds: 1000 });
  const expired = await givenCredential(db.sql, account, { remainingSeconds: -1 });
  for (const year of ["1999", "2099"]) {
    t.mock.timers.enable({ apis: ["Date"], now: Date.parse(`${year}-01-01T00:00:00Z`) });
    const refusals = [(await checked(live))?.refusal, (await checked(expired))?.refusal];
    t.mock.timers.reset();
    assert.deepEqual(refusals, [undefined, "expired"], year);
  }
});

const V4 = "192.0.2.0/24";
const V6 = "2001:db8:1::/48";
const RANGES: { cidrs: string[]; good: (string | undefined)[]; bad: (string | undefined)[] }[] = [
  { cidrs: [], good: ["192.0.2.7", "2001:db8:1::7", undefined], bad: [] },
  { cidrs: [V4], good: ["192.0.2.0", "192.0.2.255"], bad: ["192.0.3.0", "2001:db8:1::7", undefined] },
  {
    cidrs: [V6],
    good: ["2001:db8:1::", "2001:DB8:1:ffff::1"],
    bad: ["2001:db8:2::", "192.0.2.7", undefined],
  },
  { cidrs: [V4, V6], good: ["192.0.2.7", "2001:db8:1::7"], bad: ["198.51.100.1", "::1", undefined] },
  { cidrs: ["192.0.2.7/32"], good: ["192.0.2.7"], bad: ["192.0.2.6", undefined] },
  { cidrs: ["0.0.0.0/0"], good: ["192.0.2.7", "255.255.255.255"], bad: ["::1", undefined] },
  { cidrs: ["::/0"], good: ["::1"], bad: ["192.0.2.7", undefined] },
];
for (const { cidrs, good, bad } of RANGES) {
  test(`a credential for ${cidrs.join(" and ") || "everywhere"} is good from there alone`, async () => {
    const id = await givenCredential(db.sql, await givenAccount(db.sql));
    await db.sql`update keyturn.credentials set allowed_cidrs = ${db.sql.array(cidrs)}::cidr[] where id = ${id}`;
    for (const address of good) assert.equal((await checked(id, address))?.refusal, undefined, address);
    for (const address of bad) {
      assert.equal((await checked(id, address))?.refusal, "address_not_allowed", address);
    }
  });
}

test("several questions go in one statement, duplicates and unknown ones too, each answered in its place", async () => {
  const account = await givenAccount(db.sql);
  const live = await givenCredential(db.sql, account);
  const expired = await givenCredential(db.sql, account, { remainingSeconds: -1 });
  const bound = await givenCredential(db.sql, await givenAccount(db.sql));
  await db.sql`update keyturn.credentials set allowed_cidrs = '{192.0.2.0/24}' where id = ${bound}`;
  const ask = openCredentialChecks(counted());
  const questions: [id: string, address: string | undefined, expected: string | undefined][] = [
    [freshCredentialId(), undefined, "unknown"],
    [bound, "192.0.2.1", undefined],
    [live, undefined, undefined],
    [expired, "192.0.2.1", "expired"],
    [bound, "198.51.100.1", "address_not_allowed"],
    ['"\\{},', undefined, "unknown"],
    [live, "::1", undefined],
    [bound, undefined, "address_not_allowed"],
  ];
  statements.count = 0;
  const answers = await Promise.all(
    questions.map(([credentialId, address]) => ask({ credentialId, address }, signal)),
  );
  assert.equal(statements.count, 1);
  for (const [place, [id, , expected]] of questions.entries()) {
    const answer = answers[place];
    assert.equal(answer === undefined ? "unknown" : answer.refusal, expected, `place ${place}`);
    if (answer !== undefined) assert.equal(answer.principal.credentialId, id);
  }
});

test("nothing that was read is kept: each check reads anew", async () => {
  const account = await givenAccount(db.sql);
  const id = await givenCredential(db.sql, account);
  const ask = openCredentialChecks(counted());
  const question: CheckQuestion = { credentialId: id, address: undefined };
  statements.count = 0;
  assert.equal((await ask(question, signal))?.refusal, undefined);
  await db.sql`update keyturn.credentials set deleted_at = clock_timestamp() where id = ${id}`;
  assert.equal((await ask(question, signal))?.refusal, "deleted");
  await db.sql`delete from keyturn.credentials where id = ${id}`;
  assert.equal(await ask(question, signal), undefined);
  assert.equal(statements.count, 3);
});

test("a database that does not answer is unavailable: nobody is told that he went away", async (t) => {
  const silent: Database = {
    ...pool,
    run: (limit) =>
      new Promise((_, reject) => limit.addEventListener("abort", () => reject(abortFault(limit)))),
  };
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const answer = openCredentialChecks(silent)({ credentialId: "cred-1", address: undefined }, signal);
  const refused = assert.rejects(answer, {
    fault: { kind: "unavailable", part: "database", retryDelayMs: 500, inDoubt: false },
  });
  await new Promise(setImmediate);
  t.mock.timers.tick(5_000);
  await refused;
});
