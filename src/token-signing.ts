import { randomBytes, randomUUID } from "node:crypto";
import { type AccessTokens, createAccessTokens } from "./auth/access-token.ts";
import type { KeyRing } from "./auth/root-keys.ts";
import { createSigningKeyRing, type SigningKeyRing } from "./auth/signing-key-ring.ts";
import type { SigningKeyEvent } from "./auth/signing-key-ring-deps.ts";
import type { Config } from "./config.ts";
import { unavailable } from "./domain/fault.ts";
import { waitFor } from "./domain/wait-for.ts";
import type { WellKnown } from "./door/well-known.ts";
import { defectFields, type Log } from "./observability/log.ts";
import type { Metrics } from "./observability/metrics.ts";
import type { Database } from "./storage/database.ts";
import { openSigningKeys } from "./storage/signing-keys.ts";

export interface TokenSigningParts {
  readonly config: Config;
  readonly db: Database;
  /** Resolves once the database login is known to be fit: a server that must not run adds no key. */
  readonly fit: Promise<unknown>;
  readonly sealingKeys: KeyRing;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface TokenSigning {
  readonly accessTokens: AccessTokens;
  /** Loads from the beginning, until it is stopped. */
  readonly ring: SigningKeyRing;
  /** Resolves once there are keys for the first time. */
  readonly loaded: Promise<void>;
  /** What the HTTP door publishes. */
  readonly wellKnown: WellKnown;
  /** To be told the HTTP door's own URL: the issuer, unless one is configured. */
  opened(httpUrl: string): void;
}

const NOT_OPEN_RETRY_MS = 1_000;

/** What access tokens are signed, read and published with. */
export function createTokenSigning(parts: TokenSigningParts): TokenSigning {
  const { config, db, fit, sealingKeys, log, metrics } = parts;
  const stored = openSigningKeys(db);
  const loaded = Promise.withResolvers<void>();
  /** Said once the doors are open: the first line of the log has their addresses. */
  let held: SigningKeyEvent[] | undefined = [];
  const ring = createSigningKeyRing({
    ...stored,
    list: async (signal) => {
      await waitFor(fit, signal);
      return stored.list(signal);
    },
    sealingKeys,
    keyAgeSecondsMax: config.signingKeySeconds,
    randomBytes,
    onEvent: (event) => {
      if (event.kind === "failed") metrics.signingKeysFailed();
      if (event.kind === "changed" && event.kids.length > 0) loaded.resolve();
      if (held === undefined) logEvent(log, event);
      else held.push(event);
    },
  });
  let url: string | undefined;
  const issuer = () => {
    const name = config.tokenIssuer ?? url;
    if (name === undefined) throw unavailable("signing_key", NOT_OPEN_RETRY_MS);
    return name;
  };
  return {
    ring,
    loaded: loaded.promise,
    accessTokens: createAccessTokens({
      ring,
      issuer,
      audience: config.tokenAudience,
      now: ring.databaseNow,
      randomUUID,
    }),
    wellKnown: { issuer, publicKeys: ring.publicKeys },
    opened(httpUrl) {
      url = httpUrl;
      setImmediate(() => {
        for (const event of held ?? []) logEvent(log, event);
        held = undefined;
      });
    },
  };
}

function logEvent(log: Log, event: SigningKeyEvent): void {
  switch (event.kind) {
    case "added":
      log.event("info", "signing key added", { kid: event.kid });
      break;
    case "changed":
      log.event(event.skipped.length === 0 ? "info" : "error", "signing keys loaded", {
        kids: event.kids,
        skipped: event.skipped,
      });
      break;
    case "failed":
      log.event("warn", "signing keys failed", {
        retry_ms: event.retryDelayMs,
        ...defectFields(event.err),
      });
  }
}
