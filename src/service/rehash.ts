import type { Hasher } from "../auth/hasher.ts";
import type { VerifiedSecrets } from "../auth/verified-secrets.ts";
import type { CheckedCredential } from "../storage/credential-checks.ts";
import type { ReplaceHash } from "../storage/credential-hashes.ts";

export interface RehashDeps {
  readonly hasher: Pick<Hasher, "isCheaper" | "tryHashIdle">;
  readonly verified: Pick<VerifiedSecrets, "has" | "add">;
  readonly replaceHash: ReplaceHash;
  /** Told when the new hash could not be stored. The old one goes on to serve. */
  readonly onError: (err: unknown) => void;
}

/** Brings the hash of a secret that was just found right up to today's cost. Returns at once. */
export type Rehash = (secret: string, found: CheckedCredential) => void;

/**
 * Off the path of the check, in idle time, one at a time: when the hasher has work it is left for the credential's next
 * use. Another replica may be faster, and then nothing is replaced. A hash that took more work stays, or replicas of
 * different configuration would replace each other's for ever.
 */
export function rehash({ hasher, verified, replaceHash, onError }: RehashDeps): Rehash {
  let isBusy = false;

  async function replace(secret: string, { principal, secretHash }: CheckedCredential, newHash: string) {
    await replaceHash(principal, secretHash, newHash);
    const { credentialUid } = principal;
    // Its next check finds the new hash, and needs no argon2 for it. Not when a check has met yet another one meanwhile.
    if (verified.has(secret, { credentialUid, secretHash }))
      verified.add(secret, { credentialUid, secretHash: newHash });
  }

  return (secret, found) => {
    if (isBusy || !hasher.isCheaper(found.secretHash)) return;
    const hashing = hasher.tryHashIdle(secret);
    if (hashing === undefined) return;
    isBusy = true;
    hashing
      .then((newHash) => replace(secret, found, newHash))
      .catch(onError)
      .finally(() => {
        isBusy = false;
      });
  };
}
