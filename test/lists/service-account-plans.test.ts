import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { PageStart } from "../../src/domain/page.ts";
import type { ServiceAccountFilter } from "../../src/domain/service-account.ts";
import { openServiceAccounts } from "../../src/storage/service-accounts.ts";
import { givenDatabase, type TestDatabase } from "../support/database.ts";
import { assertSameCost, type Explainer, openExplainer } from "./explained.ts";
import { contextOf, givenManyAccounts } from "./given-rows.ts";

let db: TestDatabase;
let explainer: Explainer;
let organizationId: string;
before(async () => {
  db = await givenDatabase();
  ({ organizationId } = await givenManyAccounts(db.sql));
  explainer = openExplainer(db);
});
after(async () => {
  await explainer.close();
  await db.drop();
});

const EVERYTHING: ServiceAccountFilter = { scope: undefined, scopeId: undefined, status: undefined };

const DEEP: readonly [name: string, filter: Partial<ServiceAccountFilter>][] = [
  ["all service accounts", {}],
  ["those that are active", { status: "active" }],
  ["those of the organization", { scope: "organization" }],
];

for (const [name, filter] of DEEP) {
  test(`the page of ${name} behind 99,000 costs what the first one does, by indexes alone`, async () => {
    const explainPage = (start: PageStart) =>
      explainer.explain((database) =>
        openServiceAccounts(database).list(
          contextOf(organizationId),
          { ...EVERYTHING, ...filter },
          { size: 50, start },
        ),
      );
    const deep = await explainPage(await startBehind(99_000));
    assertSameCost(await explainPage({ kind: "start" }), deep);
  });
}

async function startBehind(count: number): Promise<PageStart> {
  const [row] = await db.sql<{ position: string[] }[]>`
    select array[created_at::text, id] as position from keyturn.service_accounts
     where organization_id = ${organizationId} order by created_at, id offset ${count - 1} limit 1`;
  assert.ok(row, "there is no such position");
  return { kind: "after", position: row.position };
}
