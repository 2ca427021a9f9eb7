import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Administrator, assertRefused, bodyOf, givenAdministrator } from "../support/administrator.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { AUDIT_EVENTS, type Item, walk } from "./walk.ts";

const DAY_MS = 86_400_000;
const BEGUN = Date.UTC(2026, 0, 1);

let h: TestKeyturn;
let admin: Administrator;

interface Stored {
  readonly uid: string;
  readonly sequence: number;
  readonly occurredAt: Date;
  readonly serviceAccountId: string | null;
}

/** Three accounts' chains and the organization's own, whose events fall on few instants, several on each. */
const stored: readonly Stored[] = Array.from({ length: 60 }, (_, i) => {
  const chain = i % 4;
  return {
    uid: `0000000${chain}-0000-0000-0000-000000000000`,
    sequence: Math.floor(i / 4) + 1,
    occurredAt: new Date(BEGUN + Math.floor(i / 10) * DAY_MS),
    serviceAccountId: chain === 0 ? null : `sa-${chain % 2}`,
  };
});

before(async () => {
  h = await givenKeyturn();
  admin = await givenAdministrator(h);
  for (const { uid, sequence, occurredAt, serviceAccountId } of stored) {
    await h.db.sql`
      insert into keyturn.audit_events
        (organization_id, service_account_uid, sequence, occurred_at, action, outcome, service_account_id, actor_issuer,
         actor_subject, request_id, previous_hash, hash)
      values (${admin.organizationId}, ${uid}, ${sequence}, ${occurredAt}, 'credential.create', 'succeeded',
              ${serviceAccountId}, 'issuer', 'subject', 'request', '', '')`;
  }
});
after(() => h.stop());

const byPlace = (a: Stored, b: Stored): number =>
  a.occurredAt.getTime() - b.occurredAt.getTime() ||
  (a.uid < b.uid ? -1 : a.uid > b.uid ? 1 : a.sequence - b.sequence);

/** The uid of zeros stands for the organization, and is not shown. */
const placesOf = (events: readonly Stored[]): string[] =>
  events.map(({ uid, sequence }) => `${uid.startsWith("00000000-") ? "" : uid} ${sequence}`);

const shownPlaces = (events: readonly Item[]): string[] =>
  events.map(({ serviceAccountUid = "", sequence }) => `${serviceAccountUid} ${sequence}`);

const INSTANTS = [
  undefined,
  BEGUN - 1,
  BEGUN,
  BEGUN + 2 * DAY_MS,
  BEGUN + 3 * DAY_MS + 1,
  BEGUN + 9 * DAY_MS,
];

for (const orderBy of [undefined, "occurred_at", "occurred_at desc"]) {
  test(`audit events by ${orderBy ?? "default"} of every time and account are those that fit, on one page and on many`, async () => {
    for (const since of INSTANTS) {
      for (const until of INSTANTS) {
        for (const serviceAccountId of [undefined, "sa-0", "sa-1", "sa-none"]) {
          const query = {
            orderBy,
            serviceAccountId,
            since: since === undefined ? undefined : new Date(since).toISOString(),
            until: until === undefined ? undefined : new Date(until).toISOString(),
          };
          const fitting = stored
            .filter(
              (event) =>
                (since === undefined || event.occurredAt.getTime() >= since) &&
                (until === undefined || event.occurredAt.getTime() < until) &&
                (serviceAccountId === undefined || event.serviceAccountId === serviceAccountId),
            )
            .toSorted(byPlace);
          const expected = placesOf(orderBy === "occurred_at desc" ? fitting.toReversed() : fitting);
          const said = JSON.stringify(query);
          const page = bodyOf(await admin.get(AUDIT_EVENTS.path, { ...query, offset: 0, pageSize: 500 }));
          assert.deepEqual(shownPlaces(page.auditEvents), expected, said);
          assert.equal(page.total, expected.length, said);
          assert.deepEqual(
            shownPlaces(await walk(admin, AUDIT_EVENTS, { ...query, pageSize: 17 })),
            expected,
            said,
          );
        }
      }
    }
  });
}

test("a filter that is no filter, and an order that is none, are refused by their names", async () => {
  const wrong = {
    since: ["", "yesterday", "2026-13-01T00:00:00Z"],
    until: ["x"],
    orderBy: ["occurred_at asc", "occurredAt", "OCCURRED_AT", "sequence", "occurred_at desc "],
    serviceAccountId: ["x".repeat(64)],
  };
  const names = {
    since: "since",
    until: "until",
    orderBy: "order_by",
    serviceAccountId: "service_account_id",
  };
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      const refusal = { reason: "INVALID_ARGUMENT", fields: [names[name as keyof typeof names]] };
      assertRefused(await admin.get(AUDIT_EVENTS.path, { [name]: value }), 400, refusal);
    }
  }
});
