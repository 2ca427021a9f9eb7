import { randomBytes } from "node:crypto";
import { deriveKeys, type KeyRing } from "./auth/root-keys.ts";
import { makeSigningKey, PUBLISH_AHEAD_SECONDS } from "./auth/signing-key.ts";
import type { Database } from "./storage/database.ts";
import { openSigningKeys } from "./storage/signing-keys.ts";

export interface SigningKeyRotation {
  /** False when the next key was there already. */
  readonly isAdded: boolean;
  /** The newest key. */
  readonly kid: string;
  readonly signsFrom: Date;
}

const TIMEOUT_MS = 30_000;

/**
 * Adds the next key that signs access tokens. Servers see it within half a minute.
 * @param isUrgent it signs at once, though whoever has fetched our keys lately does not know it yet.
 * @throws FaultError unavailable, internal, cancelled.
 */
export async function rotateSigningKey(
  db: Database,
  rootKeys: KeyRing,
  isUrgent: boolean,
): Promise<SigningKeyRotation> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const signingKeys = openSigningKeys(db);
  const made = makeSigningKey(deriveKeys(rootKeys).signingKey, randomBytes);
  const isAdded = await signingKeys.add(signal, {
    ...made,
    ...(isUrgent
      ? { ageSecondsMax: undefined, publishAheadSeconds: 0 }
      : { ageSecondsMax: 0, publishAheadSeconds: PUBLISH_AHEAD_SECONDS }),
  });
  const { keys } = await signingKeys.list(signal);
  const found = isAdded ? keys.find(({ kid }) => kid === made.kid) : keys.at(-1);
  if (found === undefined) throw new Error("the key was taken away meanwhile");
  return { isAdded, kid: found.kid, signsFrom: found.signsFrom };
}
