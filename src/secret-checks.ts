import { randomBytes } from "node:crypto";
import { createGuessThrottle, type GuessLimit } from "./auth/guess-throttle.ts";
import { createHasher, type Hasher } from "./auth/hasher.ts";
import type { DerivedKeys } from "./auth/root-keys.ts";
import { createSecretMatcher } from "./auth/secret-matcher.ts";
import { createVerifiedSecrets } from "./auth/verified-secrets.ts";
import type { Config } from "./config.ts";
import type { CurrentSpan } from "./domain/span.ts";
import type { Log } from "./observability/log.ts";
import type { Metrics } from "./observability/metrics.ts";
import {
  type CheckSecret,
  checkSecret,
  type RecognizeSecret,
  recognizeSecret,
} from "./service/check-secret.ts";
import { rehash } from "./service/rehash.ts";
import { openCredentialChecks } from "./storage/credential-checks.ts";
import { openCredentialHashes } from "./storage/credential-hashes.ts";
import type { Database } from "./storage/database.ts";
import { startUsageRecorder } from "./storage/usage-recorder.ts";

export interface SecretCheckParts {
  readonly config: Config;
  readonly db: Database;
  readonly keys: DerivedKeys;
  /** The mint's hasher, for rehashes in its idle time. */
  readonly hasher: Hasher;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Absent where no traces are kept. */
  readonly currentSpan?: CurrentSpan | undefined;
}

export interface SecretChecks {
  readonly checkSecret: CheckSecret;
  readonly recognizeSecret: RecognizeSecret;
  /** Of their hashes, apart from those of creates. */
  readonly checker: Pick<Hasher, "stats">;
  /** Credentials whose uses wait to be written. */
  usesPending(): number;
  /** Writes down the last uses. What cannot be written then is lost, and the log says so. */
  stop(): Promise<void>;
}

/**
 * Hashes of checks at a time, apart from those of creates: neither waits for the other's queue. As many as there are
 * cores, and no more than 3 of the 4 threads that libuv has beyond those of creates (bin/keyturn.mjs), so that file, DNS
 * and signature work always find one.
 */
const CHECK_PERMITS_MAX = 3;
const CHECK_QUEUE_MAX = 64;
const USAGE_INTERVAL_MS = 2_000;
const THROTTLE_KEYS_MAX = 65_536;

/** Of one address or IPv6 network, wrong and forged secrets each: 60 at once, then one a second. */
const SOURCE_LIMIT: GuessLimit = { guessesMax: 60, refillMs: 1_000 };
/** Of one credential from there: 10 at once, then one every ten seconds. */
const CREDENTIAL_LIMIT: GuessLimit = { guessesMax: 10, refillMs: 10_000 };

/** What the checks of secrets are made of. */
export function createSecretChecks(parts: SecretCheckParts): SecretChecks {
  const { config, db, keys, hasher, log, metrics } = parts;
  const now = () => performance.now();
  const checker = createHasher({
    permits: Math.min(config.hashPermits, CHECK_PERMITS_MAX),
    queueMax: CHECK_QUEUE_MAX,
    cost: { memoryKib: config.hashMemoryKib, passes: config.hashPasses, lanes: 1 },
    randomBytes,
    now,
    random: Math.random,
    onWait: metrics.checkWaited,
    currentSpan: parts.currentSpan,
  });
  const verified = createVerifiedSecrets(config.verifiedSecretsMax, randomBytes);
  const onError = (part: string) => (err: unknown) => log.failed({ part }, err);
  const usage = startUsageRecorder(db, { intervalMs: USAGE_INTERVAL_MS, onError: onError("last uses") });
  const deps = {
    secretPrefix: config.secretPrefix,
    tagKeys: keys.secretTag,
    check: openCredentialChecks(db),
    matcher: createSecretMatcher(checker, verified),
    forgeries: createGuessThrottle(SOURCE_LIMIT, THROTTLE_KEYS_MAX, now),
    sources: createGuessThrottle(SOURCE_LIMIT, THROTTLE_KEYS_MAX, now),
    credentials: createGuessThrottle(CREDENTIAL_LIMIT, THROTTLE_KEYS_MAX, now),
    usage,
    rehash: rehash({
      hasher,
      verified,
      replaceHash: openCredentialHashes(db),
      onError: onError("rehash"),
    }),
    onChecked: metrics.checked,
  };
  return {
    checkSecret: checkSecret(deps),
    recognizeSecret: recognizeSecret(deps),
    checker,
    usesPending: usage.pending,
    async stop() {
      usage.stop();
      await usage.flush().catch(onError("last uses"));
    },
  };
}
