import type { StoredSigningKeys } from "../domain/signing-key.ts";
import type { KeyRing } from "./root-keys.ts";
import { openSigningKey, type SigningKey } from "./signing-key.ts";
import type { SkippedSigningKey } from "./signing-key-ring-deps.ts";

export interface HeldKey extends SigningKey {
  readonly signsFromMs: number;
}

/** The keys that open. One that does not is left out and named: it must not take the others with it. */
export function openAll({ keys: stored }: StoredSigningKeys, sealingKeys: KeyRing) {
  const keys: HeldKey[] = [];
  const skipped: SkippedSigningKey[] = [];
  for (const sealed of stored) {
    const key = openSigningKey(sealed, sealingKeys);
    if (typeof key === "string") skipped.push({ kid: sealed.kid, problem: key });
    else keys.push({ ...key, signsFromMs: sealed.signsFrom.getTime() });
  }
  return { keys, skipped };
}
