import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Administrator, bodyOf, givenAdministrator } from "../support/administrator.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { appendSlowly } from "./slow-writer.ts";
import { AUDIT_EVENTS, type Item, pagesOf, walk } from "./walk.ts";

let h: TestKeyturn;
before(async () => {
  h = await givenKeyturn();
});
after(() => h.stop());

/** So many events, one after the other, whose request ids are their names. */
async function append(admin: Administrator, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const account = { id: `sa-${name}`, displayName: "Account" };
    bodyOf(await admin.post("/service-accounts", account, { "x-request-id": name }), 201);
  }
}

const namesOf = (events: readonly Item[]): string[] => events.map(({ requestId }) => requestId);

for (const orderBy of ["occurred_at", "occurred_at desc"] as const) {
  const inOrder = (names: readonly string[]) => (orderBy === "occurred_at" ? names : names.toReversed());

  test(`what commits late is not in the pages of a walk by ${orderBy} that began before, and in those of the next`, async () => {
    const admin = await givenAdministrator(h);
    await append(admin, ["a1", "a2", "a3", "a4"]);
    const slow = await appendSlowly(h.db, admin.organizationId, "slow");
    await append(admin, ["b1", "b2", "b3", "b4"]);

    const pages = pagesOf(admin, AUDIT_EVENTS, { pageSize: 3, orderBy });
    const shown: Item[] = (await pages.next()).value;
    await slow.commit();
    await append(admin, ["c1"]);
    for await (const page of pages) shown.push(...page);

    assert.deepEqual(namesOf(shown), inOrder(["a1", "a2", "a3", "a4", "b1", "b2", "b3", "b4"]));
    assert.deepEqual(
      namesOf(await walk(admin, AUDIT_EVENTS, { pageSize: 3, orderBy })),
      inOrder(["a1", "a2", "a3", "a4", "slow", "b1", "b2", "b3", "b4", "c1"]),
    );
  });
}

test("walks skip and repeat nothing while more transactions are under way than a token can name", async () => {
  const admin = await givenAdministrator(h);
  const names = ["a1", "a2", "a3", "b1", "b2", "b3"];
  await append(admin, names.slice(0, 3));
  const slow = await Promise.all(
    Array.from({ length: 170 }, (_, i) => appendSlowly(h.db, admin.organizationId, `slow-${i}`)),
  );
  // A snapshot names what began before the last transaction that is over.
  await append(admin, names.slice(3));
  const walks = ["occurred_at", "occurred_at desc"].map((orderBy) =>
    pagesOf(admin, AUDIT_EVENTS, { pageSize: 2, orderBy }),
  );
  const begun = await Promise.all(walks.map(async (pages) => (await pages.next()).value as Item[]));
  await Promise.all(slow.map((writer) => writer.commit()));
  for (const [i, pages] of walks.entries()) {
    const shown = begun[i] ?? [];
    for await (const page of pages) shown.push(...page);
    const shownNames = namesOf(shown);
    assert.equal(new Set(shownNames).size, shownNames.length);
    const early = shownNames.filter((name) => names.includes(name));
    assert.deepEqual(early, i === 0 ? names : names.toReversed());
  }
});
