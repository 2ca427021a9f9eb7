import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Code } from "@connectrpc/connect";
import { restCreate } from "../support/clients.ts";
import { DOORS, detailNamed } from "../support/doors.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { storedCount } from "../support/stored.ts";

let h: TestKeyturn;
before(async () => {
  h = await givenKeyturn();
});
after(() => h.stop());

test("the sixth active credential is refused at every door with the id that is safest to delete", async () => {
  const { organizationId, id } = await h.givenAccount();
  const token = await h.token(organizationId);
  const created = [];
  for (let count = 0; count < 5; count++) created.push((await restCreate(h, id, token)).body.id);
  for (const door of DOORS) {
    const answer = await door.create(h, { serviceAccountId: id }, { token });
    assert.equal(answer.code, Code.ResourceExhausted, door.name);
    assert.equal(answer.reason, "CREDENTIAL_LIMIT_REACHED");
    assert.deepEqual(answer.metadata, { limit: "5", active_count: "5", safest_to_delete: created[0] });
    assert.ok(detailNamed(answer, "QuotaFailure"));
    assert.equal(detailNamed(answer, "RetryInfo"), undefined, "waiting does not help");
    if (door.name === "REST") {
      assert.equal(answer.httpStatus, 409);
      assert.equal(answer.header("retry-after"), undefined);
    }
  }
  assert.equal(await storedCount(h, id), 5);
});
