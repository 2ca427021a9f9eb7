import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { AuditEventFilter } from "../../src/domain/audit-event.ts";
import type { PageStart } from "../../src/domain/page.ts";
import { openAuditEvents } from "../../src/storage/audit-events.ts";
import { givenDatabase, type TestDatabase } from "../support/database.ts";
import { assertSameCost, type Explained, type Explainer, openExplainer } from "./explained.ts";
import { contextOf, givenManyEvents, type LongList } from "./given-rows.ts";

let db: TestDatabase;
let explainer: Explainer;
let list: LongList;
before(async () => {
  db = await givenDatabase();
  list = await givenManyEvents(db.sql);
  explainer = openExplainer(db);
});
after(async () => {
  await explainer.close();
  await db.drop();
});

const EVERYTHING: AuditEventFilter = {
  serviceAccountId: undefined,
  since: undefined,
  until: undefined,
  latestFirst: false,
};

/** Explains the page behind so many of the events that fit. */
async function explainPage(filter: AuditEventFilter, behind: number): Promise<Explained> {
  const start = await startBehind(filter, behind);
  return explainer.explain((database) =>
    openAuditEvents(database).list(contextOf(list.organizationId), filter, { size: 50, start }),
  );
}

async function startBehind(filter: AuditEventFilter, count: number): Promise<PageStart> {
  if (count === 0) return { kind: "start" };
  const order = filter.latestFirst
    ? db.sql`occurred_at desc, service_account_uid desc, sequence desc`
    : db.sql`occurred_at, service_account_uid, sequence`;
  const [row] = await db.sql<{ position: string[] }[]>`
    select array[occurred_at::text, service_account_uid::text, sequence::text, pg_current_snapshot()::text,
                 statement_timestamp()::text] as position
      from keyturn.audit_events
     where organization_id = ${list.organizationId}
       and service_account_id = coalesce(${filter.serviceAccountId ?? null}, service_account_id)
       and occurred_at >= coalesce(${filter.since ?? null}::timestamptz, '-infinity')
       and occurred_at < coalesce(${filter.until ?? null}::timestamptz, 'infinity')
     order by ${order} offset ${count - 1} limit 1`;
  assert.ok(row, "there is no such position");
  return { kind: "after", position: row.position };
}

const ago = (days: number) => new Date(Date.now() - days * 86_400_000);

const DEEP: readonly [name: string, filter: Partial<AuditEventFilter>, behind: number][] = [
  ["all audit events", {}, 99_000],
  ["an account's audit events", { serviceAccountId: "sa-7" }, 900],
  ["a time's audit events", { since: ago(400), until: ago(1) }, 99_000],
];

for (const [name, filter, behind] of DEEP) {
  for (const latestFirst of [false, true]) {
    const order = latestFirst ? "latest first" : "oldest first";
    test(`the page of ${name} behind ${behind}, ${order}, costs what the first one does, by indexes alone`, async () => {
      const page = { ...EVERYTHING, ...filter, latestFirst };
      assertSameCost(await explainPage(page, 0), await explainPage(page, behind));
    });
  }
}
