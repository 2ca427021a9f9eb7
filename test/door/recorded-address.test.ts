import assert from "node:assert/strict";
import { test } from "node:test";
import { DOORS } from "../support/doors.ts";
import { givenKeyturn } from "../support/keyturn.ts";

const CLIENT = "192.0.2.1";

test("the audit trail has the client behind the proxies that KEYTURN_TRUSTED_PROXIES names", async () => {
  const h = await givenKeyturn({ env: { KEYTURN_TRUSTED_PROXIES: "127.0.0.0/8, 203.0.113.7" } });
  try {
    const { id, organizationId } = await h.givenAccount();
    const call = {
      token: await h.token(organizationId),
      headers: { "x-forwarded-for": `198.51.100.9, ${CLIENT}, 203.0.113.7` },
    };
    for (const { create } of DOORS) assert.equal((await create(h, { serviceAccountId: id }, call)).code, 0);
    const rows = await h.db.sql`
      select distinct host(client_address) as client from keyturn.audit_events where organization_id = ${organizationId}`;
    assert.deepEqual([...rows], [{ client: CLIENT }]);
  } finally {
    await h.stop();
  }
});
