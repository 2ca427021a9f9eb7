import assert from "node:assert/strict";
import { test } from "node:test";
import type { CallContext, Reach } from "../../src/domain/call-context.ts";
import { FaultError } from "../../src/domain/fault.ts";
import type { Principal } from "../../src/domain/principal.ts";
import type { CheckOutcome, PresentedSecret } from "../../src/service/check-secret.ts";
import { type VerifyCredential, verifyCredential } from "../../src/service/verify-credential.ts";

const WARNING_SECONDS = 100;
const CHECKED_AT = new Date("2029-01-01T00:00:00Z");

const principalThatExpiresIn = (ms: number) =>
  ({ checkedAt: CHECKED_AT, expiresAt: new Date(CHECKED_AT.getTime() + ms) }) as Principal;

const contextOf = (reach: Reach): CallContext => ({
  caller: { organizationId: "org-1", issuer: "issuer", subject: "gate", roles: ["verifier"], expiresAtMs: 0 },
  grantableRoles: [],
  reach,
  requestId: "request-1",
  clientAddress: "198.51.100.1",
  budgetMs: () => 10_000,
  signal: new AbortController().signal,
});

const REQUEST: VerifyCredential = {
  clientSecret: "secret",
  clientId: "sa-1@org-1.iam",
  sourceIp: "192.0.2.1",
  userAgent: "curl/8",
  tell: () => {},
};

/** Verifies by a check that comes to this, and gives what the check was asked as well. */
async function verify(outcome: CheckOutcome, reach: Reach = "organization") {
  const asked: [PresentedSecret, AbortSignal][] = [];
  const deps = {
    checkSecret: async (...args: [PresentedSecret, AbortSignal]) => {
      asked.push(args);
      return outcome;
    },
    expiryWarningSeconds: WARNING_SECONDS,
  };
  const ctx = contextOf(reach);
  return { verified: await verifyCredential(deps, ctx, REQUEST), asked, ctx };
}

test("the check is asked once, for the caller's organization, and about where the secret was presented to him", async () => {
  const { asked, ctx } = await verify({ kind: "refused" });
  const presented = {
    secret: "secret",
    asker: "organization org-1",
    clientId: "sa-1@org-1.iam",
    address: "192.0.2.1",
    userAgent: "curl/8",
    organizationId: "org-1",
    tell: REQUEST.tell,
  };
  assert.deepEqual(asked, [[presented, ctx.signal]]);
});

test("a verifier of the platform asks about all organizations", async () => {
  const { asked } = await verify({ kind: "refused" }, "platform");
  assert.equal(asked[0]?.[0].organizationId, undefined);
  assert.equal(asked[0]?.[0].asker, "platform");
});

test("a refused secret is nobody's", async () => {
  assert.equal((await verify({ kind: "refused" })).verified, undefined);
});

test("too many guesses are a fault that says when to come back", async () => {
  const fault = new FaultError({ kind: "too_many_attempts", retryDelayMs: 1_234 });
  await assert.rejects(verify({ kind: "throttled", delayMs: 1_234 }), fault);
});

for (const { leftMs, soon } of [
  { leftMs: WARNING_SECONDS * 1000 + 1, soon: false },
  { leftMs: WARNING_SECONDS * 1000, soon: true },
  { leftMs: 1, soon: true },
]) {
  test(`a credential with ${leftMs} ms left is ${soon ? "" : "not "}said to expire soon`, async () => {
    const principal = principalThatExpiresIn(leftMs);
    const { verified } = await verify({ kind: "verified", principal });
    assert.deepEqual(verified, { principal, expiresSoon: soon });
  });
}
