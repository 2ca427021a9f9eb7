import { isJsonObject, type JsonValue } from "../domain/strict-json.ts";
import { KeySetError } from "./key-set-error.ts";
import { type KeyProblem, toVerificationKey, type VerificationKey } from "./verification-key.ts";

/** An issuer has a handful; more would be a way to make us import keys all day. */
const KEYS_MAX = 100;

/** The usable keys of a JWK set, by key id. */
export interface PublishedKeys {
  readonly byId: ReadonlyMap<string, VerificationKey>;
  /** For the log: which entries were left out. */
  readonly skipped: readonly SkippedKey[];
}

export interface SkippedKey {
  /** Position in the set, from 0. */
  readonly index: number;
  readonly problem: KeyProblem;
}

export const noKeys: PublishedKeys = { byId: new Map(), skipped: [] };

/**
 * Reads a JWK set (RFC 7517 section 5). A bad key is left out; of two usable keys with one id the first is taken. A set
 * without any key is a valid answer: the issuer has withdrawn them all.
 * @param previous the keys read before; a key that has not changed is taken over as it is.
 * @throws KeySetError `not_a_key_set`, or `too_many_keys` beyond 100 entries.
 */
export async function readKeys(
  document: JsonValue,
  previous: PublishedKeys = noKeys,
): Promise<PublishedKeys> {
  const entries = isJsonObject(document) ? document["keys"] : undefined;
  if (!Array.isArray(entries)) throw new KeySetError("not_a_key_set");
  if (entries.length > KEYS_MAX) throw new KeySetError("too_many_keys");

  const known = new Map([...previous.byId.values()].map((key) => [key.fingerprint, key]));
  const byId = new Map<string, VerificationKey>();
  const skipped: SkippedKey[] = [];
  for (const [index, entry] of entries.entries()) {
    const key = await toVerificationKey(entry, known);
    if (typeof key === "string") skipped.push({ index, problem: key });
    else if (byId.has(key.id)) skipped.push({ index, problem: "id_duplicate" });
    else byId.set(key.id, key);
  }
  return { byId, skipped };
}

/** True when both sets verify the same tokens. */
export function areSameKeys(left: PublishedKeys, right: PublishedKeys): boolean {
  if (left.byId.size !== right.byId.size) return false;
  return [...left.byId.values()].every((key) => right.byId.get(key.id)?.fingerprint === key.fingerprint);
}
