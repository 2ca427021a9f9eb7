import type { JSONWebKeySet } from "jose";
import type { JsonValue } from "../domain/strict-json.ts";
import { readKeys } from "./published-keys.ts";
import type { VerificationKey } from "./verification-key.ts";

/** The keys that one issuer signs with. */
export interface KeySet {
  /**
   * The key with this id; undefined when the issuer, asked recently enough, has none.
   * @throws FaultError `unavailable` while nobody can know, or the fault of an aborted `signal`.
   */
  keyFor(kid: string, signal?: AbortSignal): Promise<VerificationKey | undefined>;
  /** Grows whenever the keys change. What was verified before may hold no longer. */
  changeCount(): number;
  /**
   * Resolves once a usable set is held; the first call starts to fetch it.
   * @throws FaultError `unavailable` when the attempt failed, or while the next one is not due.
   */
  ready(signal?: AbortSignal): Promise<void>;
  /** True while a usable set is held. */
  loaded(): boolean;
  /** Ends the fetch under way and every timer. Keys that are held go on to be answered. */
  close(): void;
}

/**
 * Keys that are known beforehand: the development issuer's own. They never change and nothing is fetched.
 * @param jwks a JWK set of public keys.
 * @throws TypeError when a key cannot be used: the set is ours, so that is a mistake and not an issuer's whim.
 */
export async function staticKeySet(jwks: JSONWebKeySet): Promise<KeySet> {
  const { byId, skipped } = await readKeys(jwks as unknown as JsonValue);
  const [bad] = skipped;
  if (bad !== undefined) throw new TypeError(`key ${bad.index} of the set cannot be used: ${bad.problem}`);
  return {
    keyFor: async (kid) => byId.get(kid),
    changeCount: () => 0,
    ready: async () => undefined,
    loaded: () => true,
    close: () => undefined,
  };
}
