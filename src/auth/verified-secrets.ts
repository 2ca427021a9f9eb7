import { createSecretKey } from "node:crypto";
import { evictOldest } from "../domain/evict.ts";
import { hmacSha256 } from "../domain/hmac.ts";
import type { RandomBytes } from "../domain/secret.ts";

/** The stored hash that a secret is held against: of which credential, and which hash of it. */
export interface StoredHash {
  readonly credentialUid: string;
  readonly secretHash: string;
}

/**
 * Remembers that a secret matches a hash, so that argon2 is asked once. It says nothing of whether the credential still
 * holds: that is read from the database each time.
 */
export interface VerifiedSecrets {
  has(secret: string, stored: StoredHash): boolean;
  add(secret: string, stored: StoredHash): void;
  size(): number;
}

const KEY_BYTES = 32;

/**
 * A bounded cache, the least recently used leaving first. Secrets are known by their HMAC-SHA256 under a key of this
 * process alone, so that memory shows none and another process's copy is worth nothing. Only matches are kept: a wrong
 * secret leaves no trace.
 * @param entriesMax about 300 bytes each.
 */
export function createVerifiedSecrets(entriesMax: number, randomBytes: RandomBytes): VerifiedSecrets {
  const key = createSecretKey(randomBytes(KEY_BYTES));
  const matches = new Map<string, StoredHash>();
  const nameOf = (secret: string) => hmacSha256(key, secret);

  return {
    has(secret, stored) {
      const name = nameOf(secret);
      const match = matches.get(name);
      const isMatch = match?.credentialUid === stored.credentialUid && match.secretHash === stored.secretHash;
      if (isMatch) {
        matches.delete(name);
        matches.set(name, match);
      }
      return isMatch;
    },
    add(secret, { credentialUid, secretHash }) {
      if (entriesMax === 0) return;
      const name = nameOf(secret);
      matches.delete(name);
      matches.set(name, { credentialUid, secretHash });
      evictOldest(matches, entriesMax);
    },
    size: () => matches.size,
  };
}
