import type { TestContext } from "node:test";
import { remoteKeySet } from "../../src/auth/remote-key-set.ts";
import { createTokenVerifier, type TokenRules } from "../../src/auth/verify-token.ts";
import { type IssuerOptions, startIssuer } from "./issuer.ts";
import { manualClock } from "./manual-clock.ts";
import { AUDIENCE } from "./token.ts";

/** An issuer of the test's own and a verifier for its tokens, both on one clock that stands still. */
export async function givenVerifier(
  t: TestContext,
  options: { issuer?: IssuerOptions; rules?: Partial<TokenRules> } = {},
) {
  const clock = manualClock();
  const issuer = await startIssuer({ now: clock.now, ...options.issuer });
  const keySet = remoteKeySet(issuer.url, { now: clock.now, after: clock.after });
  t.after(async () => {
    keySet.close();
    await issuer.stop();
  });
  const verifyToken = createTokenVerifier({
    issuers: new Map([[issuer.url, keySet]]),
    audiences: [AUDIENCE],
    tenantClaim: "tenant_id",
    rolesClaim: "roles",
    now: clock.now,
    ...options.rules,
  });
  return { clock, issuer, keySet, verifyToken, seconds: clock.now() / 1000 };
}
