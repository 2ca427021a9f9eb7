import { hash } from "node:crypto";
import type { Caller } from "../domain/caller.ts";
import { evictOldest } from "../domain/evict.ts";
import { waitFor } from "../domain/wait-for.ts";
import type { KeySet } from "./key-set.ts";
import type { RecallToken, VerifyToken } from "./verify-token.ts";

const ENTRIES_MAX = 10_000;
const ENTRY_LIFETIME_MS_MAX = 60_000;

export interface TokenCacheDeps {
  readonly verifyToken: VerifyToken;
  /** The key sets behind `verifyToken`: a change in one of them empties the cache. */
  readonly keySets: readonly KeySet[];
  /** In ms since the epoch, the same clock as the verifier's. */
  readonly now: () => number;
  /** How many tokens are kept. */
  readonly entriesMax?: number;
}

interface Entry {
  readonly caller: Caller;
  readonly storedAtMs: number;
  readonly endsAtMs: number;
}

/**
 * Remembers verified tokens for up to 60 s and never beyond their end, so that a busy caller's token is checked once a
 * minute. Only successes are kept, under the SHA-256 of the token: a dump of the memory holds no token, and no refusal
 * can be made to stick. Simultaneous checks of one token are one check.
 */
export function cacheVerifiedTokens({
  verifyToken,
  keySets,
  now,
  entriesMax = ENTRIES_MAX,
}: TokenCacheDeps): RecallToken {
  /** In order of last use, oldest first. */
  const entries = new Map<string, Entry>();
  const flights = new Map<string, Promise<Caller>>();
  const keyChanges = () => keySets.reduce((sum, keySet) => sum + keySet.changeCount(), 0);
  let keyChangesSeen = keyChanges();

  function forgetWhenKeysChanged(): void {
    const seen = keyChanges();
    if (seen === keyChangesSeen) return;
    keyChangesSeen = seen;
    entries.clear();
    flights.clear();
  }

  function recall(digest: string): Caller | undefined {
    const entry = entries.get(digest);
    if (entry === undefined) return undefined;
    entries.delete(digest);
    const nowMs = now();
    // A clock that was set back must not make an entry live longer.
    if (nowMs >= entry.endsAtMs || nowMs < entry.storedAtMs) return undefined;
    entries.set(digest, entry);
    return entry.caller;
  }

  function remember(digest: string, caller: Caller): void {
    const storedAtMs = now();
    const endsAtMs = Math.min(caller.expiresAtMs, storedAtMs + ENTRY_LIFETIME_MS_MAX);
    entries.set(digest, { caller, storedAtMs, endsAtMs });
    evictOldest(entries, entriesMax);
  }

  async function verifyOnce(digest: string, token: string): Promise<Caller> {
    const keyChangesBefore = keyChangesSeen;
    const caller = await verifyToken(token);
    // Keys that changed meanwhile may have withdrawn the one that was used.
    if (keyChangesBefore === keyChanges()) remember(digest, caller);
    return caller;
  }

  function join(digest: string, token: string): Promise<Caller> {
    const running = flights.get(digest);
    if (running !== undefined) return running;
    const flight = verifyOnce(digest, token).finally(() => {
      if (flights.get(digest) === flight) flights.delete(digest);
    });
    flights.set(digest, flight);
    return flight;
  }

  return (token, signal) => {
    const digest = hash("sha256", token, "base64");
    forgetWhenKeysChanged();
    return recall(digest) ?? waitFor(join(digest, token), signal);
  };
}
