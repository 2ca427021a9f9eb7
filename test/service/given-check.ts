import { createSecretKey, randomBytes } from "node:crypto";
import { createGuessThrottle, type GuessLimit } from "../../src/auth/guess-throttle.ts";
import { createSecretMatcher } from "../../src/auth/secret-matcher.ts";
import { createVerifiedSecrets } from "../../src/auth/verified-secrets.ts";
import type { FaultError } from "../../src/domain/fault.ts";
import type { Principal, RefusedUseReason } from "../../src/domain/principal.ts";
import { composeSecret, newCredentialId } from "../../src/domain/secret.ts";
import { type CheckSecretDeps, checkSecret, type PresentedSecret } from "../../src/service/check-secret.ts";
import type { CheckedCredential, CheckQuestion } from "../../src/storage/credential-checks.ts";
import { manualClock } from "../support/manual-clock.ts";

export const PREFIX = "plt";
export const TAG_KEY = createSecretKey(Buffer.alloc(32, 1));
export const RETIRED_KEY = createSecretKey(Buffer.alloc(32, 2));
export const STRANGERS_KEY = createSecretKey(Buffer.alloc(32, 3));
const WARM_UP = "keyturn decoy";

/** A secret of the server's own making, of a new credential unless told otherwise. */
export const newSecret = (credentialId = newCredentialId(randomBytes), tagKey = TAG_KEY): string =>
  composeSecret({ prefix: PREFIX, credentialId, tagKey, randomBytes });

export const credentialIdOf = (secret: string): string => secret.slice(7, 32);

export type CheckDone =
  | { readonly did: "read"; readonly question: CheckQuestion }
  | { readonly did: "hash"; readonly against: string }
  | { readonly did: "rehash" }
  | { readonly did: "used"; readonly address: string | undefined; readonly userAgent: string | undefined }
  | {
      readonly did: "refused";
      readonly reason: RefusedUseReason;
      readonly address: string | undefined;
    };

export interface GivenCheckOptions {
  readonly forgeryLimit?: GuessLimit;
  readonly sourceLimit?: GuessLimit;
  readonly credentialLimit?: GuessLimit;
  readonly tagKeys?: CheckSecretDeps["tagKeys"];
}

/** The check over credentials in memory and hashes that cost nothing, which writes down whatever it asks for and does. */
export function givenCheck(options: GivenCheckOptions = {}) {
  const rows = new Map<string, CheckedCredential>();
  const done: CheckDone[] = [];
  const checked: string[] = [];
  const faults: { read?: FaultError; hash?: FaultError } = {};
  let heardOfHash = () => {};
  const clock = manualClock(0);
  const { forgeryLimit = { guessesMax: 60, refillMs: 1_000 } } = options;
  const { sourceLimit = { guessesMax: 60, refillMs: 1_000 } } = options;
  const { credentialLimit = { guessesMax: 10, refillMs: 10_000 } } = options;
  const hasher = {
    hash: async (secret: string) => (secret === WARM_UP ? "decoy" : secret),
    async verify(phc: string, secret: string) {
      done.push({ did: "hash", against: phc });
      heardOfHash();
      if (faults.hash) throw faults.hash;
      return phc === `hash of ${secret}`;
    },
  };
  const check = checkSecret({
    secretPrefix: PREFIX,
    tagKeys: options.tagKeys ?? [TAG_KEY],
    async check(question) {
      done.push({ did: "read", question });
      if (faults.read) throw faults.read;
      return rows.get(question.credentialId);
    },
    matcher: createSecretMatcher(hasher, createVerifiedSecrets(100, randomBytes)),
    forgeries: createGuessThrottle(forgeryLimit, 1_000, clock.now),
    sources: createGuessThrottle(sourceLimit, 1_000, clock.now),
    credentials: createGuessThrottle(credentialLimit, 1_000, clock.now),
    usage: {
      used: (_, { address, userAgent }) => void done.push({ did: "used", address, userAgent }),
      refused: (_, { address }, reason) => void done.push({ did: "refused", reason, address }),
    },
    rehash: () => void done.push({ did: "rehash" }),
    onChecked: (outcome) => void checked.push(outcome),
  });
  return {
    clock,
    done,
    checked,
    faults,
    check: (secret: string, more: Partial<PresentedSecret> = {}, signal = new AbortController().signal) =>
      check(
        {
          asker: "mint",
          clientId: undefined,
          address: "192.0.2.1",
          userAgent: "curl/8",
          tell: () => {},
          ...more,
          secret,
        },
        signal,
      ),
    /** Called when a hash starts, before it ends. */
    onHash(listener: () => void) {
      heardOfHash = listener;
    },
    /** What was done since this was asked the last time, in one word each. */
    did: () => done.splice(0).map(({ did }) => did),
    /** Lets the database know a credential with this secret, as it stands now. */
    store(secret: string, state: { refusal?: RefusedUseReason } & Partial<Principal> = {}) {
      const { refusal, ...more } = state;
      const credentialId = credentialIdOf(secret);
      const principal = { ...principalOf(credentialId), ...more };
      rows.set(credentialId, { principal, secretHash: `hash of ${secret}`, refusal });
      return principal;
    },
    /** A stored credential's secret. */
    givenSecret(state: Parameters<typeof this.store>[1] = {}): string {
      const secret = newSecret();
      this.store(secret, state);
      return secret;
    },
  };
}

const principalOf = (credentialId: string): Principal => ({
  organizationId: "org-1",
  serviceAccountId: "sa-1",
  serviceAccountUid: "uid-of-sa-1",
  credentialId,
  credentialUid: `uid-of-${credentialId}`,
  scope: "organization",
  scopeId: "org-1",
  roles: ["reader"],
  expiresAt: new Date("2030-01-01T00:00:00Z"),
  checkedAt: new Date("2029-01-01T00:00:00Z"),
});
