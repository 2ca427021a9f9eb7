import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { CredentialFilter } from "../../src/domain/credential.ts";
import type { PageStart } from "../../src/domain/page.ts";
import { DEFAULT_POLICY } from "../../src/domain/policy.ts";
import { openCredentials } from "../../src/storage/credentials.ts";
import { givenDatabase, type TestDatabase } from "../support/database.ts";
import { assertSameCost, type Explained, type Explainer, openExplainer } from "./explained.ts";
import { contextOf, givenManyCredentials, type LongList } from "./given-rows.ts";

let db: TestDatabase;
let explainer: Explainer;
let list: LongList;
before(async () => {
  db = await givenDatabase();
  list = await givenManyCredentials(db.sql);
  explainer = openExplainer(db);
});
after(async () => {
  await explainer.close();
  await db.drop();
});

const EVERYTHING: CredentialFilter = {
  status: undefined,
  expiringBefore: undefined,
  unusedSince: undefined,
  neverUsed: false,
};

/** Explains the page behind so many credentials of the whole list. */
async function explainPage(filter: Partial<CredentialFilter>, behind: number): Promise<Explained> {
  const start = await startBehind(behind);
  return explainer.explain((database) =>
    openCredentials(database, DEFAULT_POLICY).list(
      contextOf(list.organizationId),
      list.serviceAccountId,
      { ...EVERYTHING, ...filter },
      { size: 50, start },
    ),
  );
}

async function startBehind(count: number): Promise<PageStart> {
  if (count === 0) return { kind: "start" };
  const [row] = await db.sql<{ position: [string, string, string] }[]>`
    select array[c.created_at::text, c.id, a.uid::text] as position
      from keyturn.credentials c
      join keyturn.service_accounts a on a.organization_id = c.organization_id and a.id = c.service_account_id
     where c.service_account_id = ${list.serviceAccountId} and c.deleted_at is null
     order by c.created_at, c.id offset ${count - 1} limit 1`;
  return { kind: "after", position: row?.position ?? [] };
}

const DEEP: readonly [name: string, filter: Partial<CredentialFilter>, behind: number][] = [
  ["all credentials", {}, 99_000],
  ["those that have expired", { status: "expired" }, 99_000],
  ["those that were revoked", { status: "revoked" }, 29_000],
  ["those that were never used", { neverUsed: true }, 99_000],
  ["those that were not used since", { unusedSince: new Date() }, 99_000],
  ["those that end within a year", { expiringBefore: new Date(Date.now() + 3.2e10) }, 99_000],
];

for (const [name, filter, behind] of DEEP) {
  test(`the page of ${name} behind ${behind} costs what the first one does, by indexes alone`, async () => {
    assertSameCost(await explainPage(filter, 0), await explainPage(filter, behind));
  });
}

for (const status of ["active", "pending"] as const) {
  test(`those that are ${status} are found by their expiry, wherever the page begins and however many have expired`, async () => {
    for (const behind of [0, 50_000, 99_000]) {
      const page = await explainPage({ status }, behind);
      assert.deepEqual(page.tablesScanned, [], page.plan);
      assert.ok(
        page.indexes.some((index) => /by_expiry$/.test(index)),
        page.plan,
      );
      assert.ok(page.rowsSorted <= 5, page.plan);
      assert.ok(page.buffers <= 80, `${page.buffers} buffers ${page.plan}`);
    }
  });
}
