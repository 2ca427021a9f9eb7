import { abortFault } from "../domain/fault.ts";
import { waitFor } from "../domain/wait-for.ts";
import type { Hasher } from "./hasher.ts";
import type { StoredHash, VerifiedSecrets } from "./verified-secrets.ts";

export interface SecretMatcher {
  /** Whether this process has seen before that the secret matches. Costs microseconds. */
  isKnown(secret: string, stored: StoredHash): boolean;
  /** Whether a hash for it runs or waits at this moment, which the next one to ask would share. */
  isChecking(secret: string, stored: StoredHash): boolean;
  /** Whether the secret matches, by argon2. Rejects like `Hasher.verify`, and the group is as there. */
  matches(secret: string, stored: StoredHash, signal: AbortSignal, group?: string): Promise<boolean>;
  /** Takes the time of a check and matches nothing: for a credential that nobody knows. */
  mismatch(secret: string, signal: AbortSignal): Promise<false>;
}

/** Nobody can present this as a secret: its hash stands for one that was never stored, at the cost of every other. */
const DECOY = "keyturn decoy";

/** Checks of one secret that run at the same moment share one hash. */
export function createSecretMatcher(
  hasher: Pick<Hasher, "hash" | "verify">,
  verified: VerifiedSecrets,
): SecretMatcher {
  const checking = new Map<string, Promise<boolean>>();
  let decoy: Promise<string> | undefined;

  function decoyHash(): Promise<string> {
    decoy ??= hasher.hash(DECOY).catch((err) => {
      decoy = undefined;
      throw err;
    });
    return decoy;
  }
  // Before anybody asks: the first mismatch must take no longer than the next. What fails now is made again then.
  decoyHash().catch(() => {});

  const nameOf = (secret: string, { secretHash }: StoredHash) => `${secretHash} ${secret}`;

  /** Not with the caller's signal: others may wait for the same hash. */
  function checkOnce(secret: string, stored: StoredHash, group?: string): Promise<boolean> {
    const name = nameOf(secret, stored);
    const running = checking.get(name);
    if (running !== undefined) return running;
    const check = hasher
      .verify(stored.secretHash, secret, undefined, group)
      .then((isMatch) => {
        if (isMatch) verified.add(secret, stored);
        return isMatch;
      })
      .finally(() => checking.delete(name));
    checking.set(name, check);
    return check;
  }

  return {
    isKnown: (secret, stored) => verified.has(secret, stored),
    isChecking: (secret, stored) => checking.has(nameOf(secret, stored)),
    async matches(secret, stored, signal, group) {
      if (signal.aborted) throw abortFault(signal);
      return waitFor(checkOnce(secret, stored, group), signal);
    },
    async mismatch(secret, signal) {
      const secretHash = await waitFor(decoyHash(), signal);
      await waitFor(checkOnce(secret, { credentialUid: "", secretHash }), signal);
      return false;
    },
  };
}
