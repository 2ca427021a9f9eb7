import type { Hasher } from "../auth/hasher.ts";
import type { CheckedCredential } from "../storage/credential-checks.ts";
import type { ReplaceHash } from "../storage/credential-hashes.ts";

export interface RehashDeps {
  readonly hasher: Pick<Hasher, "isCurrent" | "tryHashIdle">;
  readonly replaceHash: ReplaceHash;
  /** Told when the new hash could not be stored. The old one goes on to serve. */
  readonly onError: (err: unknown) => void;
}

/** Brings the hash of a secret that was just found right to today's cost. Returns at once. */
export type Rehash = (secret: string, found: CheckedCredential) => void;

/**
 * Off the path of the check, in idle time, one at a time: when the hasher has work it is left for the credential's next
 * use. Another replica may be faster, and then nothing is replaced.
 */
export function rehash({ hasher, replaceHash, onError }: RehashDeps): Rehash {
  let isBusy = false;
  return (secret, { principal, secretHash }) => {
    if (isBusy || hasher.isCurrent(secretHash)) return;
    const hashing = hasher.tryHashIdle(secret);
    if (hashing === undefined) return;
    isBusy = true;
    hashing
      .then((newHash) => replaceHash(principal, secretHash, newHash))
      .catch(onError)
      .finally(() => {
        isBusy = false;
      });
  };
}
