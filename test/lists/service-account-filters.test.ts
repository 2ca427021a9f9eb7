import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Administrator, assertRefused, bodyOf, givenAdministrator } from "../support/administrator.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { type Item, idsOf, SERVICE_ACCOUNTS, walk } from "./walk.ts";

let h: TestKeyturn;
let admin: Administrator;
/** As they were created or last changed, in the order of their creation. */
const accounts: Item[] = [];

before(async () => {
  h = await givenKeyturn();
  admin = await givenAdministrator(h);
  const { path } = SERVICE_ACCOUNTS;
  for (let i = 0; i < 24; i += 1) {
    const project = i % 3 === 0 ? {} : { scope: "project", scopeId: `project-${i % 5}` };
    const created = bodyOf(await admin.post(path, { id: `sa-${99 - i}`, displayName: "A", ...project }), 201);
    const isDisabled = i % 4 === 1;
    accounts.push(
      isDisabled ? bodyOf(await admin.patch(`${path}/${created.id}`, { status: "disabled" })) : created,
    );
  }
  // Somebody else's, which no filter shows.
  const stranger = await givenAdministrator(h);
  bodyOf(await stranger.post(path, { id: "sa-99", displayName: "B" }), 201);
});
after(() => h.stop());

const SCOPES = [undefined, "organization", "project"];
const STATUSES = [undefined, "active", "disabled"];

test("service accounts of every scope, scope id and status are those that fit, on one page and on many", async () => {
  const scopeIds = [undefined, admin.organizationId, "project-1", "project-4", "nowhere"];
  for (const scope of SCOPES) {
    for (const scopeId of scopeIds) {
      for (const status of STATUSES) {
        const query = { scope, scopeId, status };
        const fitting = accounts.filter(
          (account) =>
            (scope === undefined || account.scope === scope) &&
            (scopeId === undefined || account.scopeId === scopeId) &&
            (status === undefined || account.status === status),
        );
        const { serviceAccounts, total } = bodyOf(
          await admin.get(SERVICE_ACCOUNTS.path, { ...query, offset: 0 }),
        );
        assert.deepEqual(serviceAccounts, fitting, JSON.stringify(query));
        assert.equal(total, fitting.length);
        const walked = await walk(admin, SERVICE_ACCOUNTS, { ...query, pageSize: 3 });
        assert.deepEqual(idsOf(walked), idsOf(fitting), JSON.stringify(query));
      }
    }
  }
});

test("a filter that is no filter is refused by its name", async () => {
  const wrong = {
    scope: ["", "Project", "tenant"],
    status: ["", "ACTIVE", "expired"],
    scopeId: ["x".repeat(64)],
  };
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      const field = name === "scopeId" ? "scope_id" : name;
      const refusal = { reason: "INVALID_ARGUMENT", fields: [field] };
      assertRefused(await admin.get(SERVICE_ACCOUNTS.path, { [name]: value }), 400, refusal);
    }
  }
});
