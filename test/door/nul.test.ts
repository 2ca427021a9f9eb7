import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { credentialsPath, rest } from "../support/clients.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";

let h: TestKeyturn;
before(async () => {
  h = await givenKeyturn();
});
after(() => h.stop());

const IAM = "/v1/regions/global/iam";
const NUL = "a\0b";

test("a text with U+0000 is refused as the caller's, and stands in the trail where it would have changed something", async () => {
  const { organizationId, id } = await h.givenAccount();
  const token = await h.token(organizationId);
  const send = (method: string, path: string, body?: object) =>
    rest(h, path, {
      method,
      token,
      headers: { "content-type": "application/json", "x-request-id": "nul" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const answers = [
    await send("POST", `${IAM}/service-accounts`, { id: "sa-nul", displayName: NUL }),
    await send("PATCH", `${IAM}/service-accounts/${id}`, { description: NUL }),
    await send("PATCH", `${IAM}/service-accounts/${id}`, { displayName: "x", etag: NUL }),
    await send("POST", credentialsPath(id), { displayName: NUL }),
    await send("GET", `${IAM}/audit-events?serviceAccountId=a%00b`),
    await send("GET", `${IAM}/service-accounts?scopeId=a%00b`),
  ];
  for (const { status, text } of answers) assert.equal(status, 400, text);
  for (const { body } of answers) assert.equal(body.error.details[0].reason, "INVALID_ARGUMENT");
  const rows = await h.db.sql`
    select outcome from keyturn.audit_events where organization_id = ${organizationId} and request_id = 'nul'`;
  assert.deepEqual(
    rows.map(({ outcome }) => outcome),
    Array(4).fill("invalid_argument"),
  );
});
