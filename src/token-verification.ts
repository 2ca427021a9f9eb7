import type { KeySet } from "./auth/key-set.ts";
import { defaultKeySetDeps } from "./auth/key-set-deps.ts";
import { remoteKeySet } from "./auth/remote-key-set.ts";
import { cacheVerifiedTokens } from "./auth/token-cache.ts";
import { createTokenVerifier, type RecallToken } from "./auth/verify-token.ts";
import type { Config } from "./config.ts";
import type { Log } from "./observability/log.ts";
import type { Metrics } from "./observability/metrics.ts";
import type { Tracing } from "./observability/tracing.ts";

export interface TokenVerification {
  readonly verifyToken: RecallToken;
  /** By issuer. They load once `ready` is called, and are refreshed until they are closed. */
  readonly keySets: ReadonlyMap<string, KeySet>;
}

/** What bearer tokens are verified with: the keys of each issuer, those of `known` and those that are fetched. */
export function createTokenVerification(
  config: Config,
  known: ReadonlyMap<string, KeySet>,
  log: Log,
  metrics: Metrics,
  tracing?: Tracing,
): TokenVerification {
  const keySets = new Map([
    ...known,
    ...config.oidcIssuers.map((issuer) => [issuer, watchedKeySet(issuer, log, metrics, tracing)] as const),
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
  return { verifyToken, keySets };
}

/** Says in the log and counts what became of each fetch of an issuer's keys. */
function watchedKeySet(issuer: string, log: Log, metrics: Metrics, tracing: Tracing | undefined): KeySet {
  return remoteKeySet(issuer, {
    ...(tracing && { fetch: tracing.traced(defaultKeySetDeps.fetch) }),
    onRefresh(outcome) {
      metrics.keySetFetched(outcome.kind === "loaded");
      if (outcome.kind === "loaded") {
        const { keyCount, skipped } = outcome;
        log.event("info", "key set loaded", { issuer, keys: keyCount, skipped: skipped.length });
      } else {
        const { error, retryDelayMs } = outcome;
        log.event("warn", "key set failed", { issuer, problem: error.problem, retry_ms: retryDelayMs });
      }
    },
  });
}
