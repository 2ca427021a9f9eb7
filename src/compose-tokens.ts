import type { KeySet } from "./auth/key-set.ts";
import { remoteKeySet } from "./auth/remote-key-set.ts";
import { cacheVerifiedTokens } from "./auth/token-cache.ts";
import { createTokenVerifier, type VerifyToken } from "./auth/verify-token.ts";
import type { Config } from "./config.ts";
import type { Log } from "./observability/log.ts";

/** What bearer tokens are verified by. */
export interface Tokens {
  /** By issuer. */
  readonly keySets: ReadonlyMap<string, KeySet>;
  readonly verifyToken: VerifyToken;
}

/** @param known issuers whose keys are known already; the configured ones are fetched. */
export function composeTokens(config: Config, known: ReadonlyMap<string, KeySet>, log: Log): Tokens {
  const keySets = new Map([
    ...known,
    ...config.oidcIssuers.map((issuer) => [issuer, watchedKeySet(issuer, log)] as const),
  ]);
  const verifyToken = cacheVerifiedTokens({
    verifyToken: createTokenVerifier({
      issuers: keySets,
      audiences: config.oidcAudiences,
      tenantClaim: config.tenantClaim,
      rolesClaim: config.rolesClaim,
      now: Date.now,
    }),
    keySets: [...keySets.values()],
    now: Date.now,
  });
  return { keySets, verifyToken };
}

/** Says in the log what became of each fetch of an issuer's keys. */
function watchedKeySet(issuer: string, log: Log): KeySet {
  return remoteKeySet(issuer, {
    onRefresh: (outcome) =>
      outcome.kind === "loaded"
        ? log.event("info", "key set loaded", {
            issuer,
            keys: outcome.keyCount,
            skipped: outcome.skipped.length,
          })
        : log.event("warn", "key set failed", {
            issuer,
            problem: outcome.error.problem,
            retry_ms: outcome.retryDelayMs,
          }),
  });
}
