import assert from "node:assert/strict";
import { test } from "node:test";
import { givenIssued, unissuedSecret } from "../support/issued-credential.ts";
import { givenKeyturn } from "../support/keyturn.ts";
import { eventually, metric } from "../support/stored.ts";
import { verifyAs } from "../support/verifier.ts";

/** Each hash takes so long that two checks which come together are under way together. */
const SLOW = { KEYTURN_MINT_POOL_SIZE: "0", KEYTURN_ARGON2_MEMORY_KIB: "32768", KEYTURN_ARGON2_PASSES: "10" };

test("on two cores one cold check does not wait behind another", async () => {
  const h = await givenKeyturn({ env: SLOW });
  try {
    const issued = await givenIssued(h);
    const others = await givenIssued(h);
    // Once this is refused the process has made its decoy, and nothing hashes any more.
    await verifyAs(h, issued, { clientSecret: unissuedSecret() });
    const waited = () => metric(h, "keyturn_check_hash_wait_seconds_sum");
    const begun = () => metric(h, "keyturn_check_hash_wait_seconds_count");
    const [waitedBefore, begunBefore] = [await waited(), await begun()];
    const ended: string[] = [];
    const checks = [issued, others].map(async ({ organizationId, secret }) => {
      const { body } = await verifyAs(h, { organizationId }, { clientSecret: secret });
      ended.push(Object.keys(body ?? {}).join());
    });
    await eventually(begun, (count) => count === begunBefore + 2);
    assert.deepEqual(ended, []);
    await Promise.all(checks);
    assert.deepEqual(ended, ["principal", "principal"]);
    assert.equal(await waited(), waitedBefore);
  } finally {
    await h.stop();
  }
});
