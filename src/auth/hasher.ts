import { timingSafeEqual } from "node:crypto";
import { hash as argon2Hash, argon2id } from "argon2";
import type { RandomBytes } from "../domain/secret.ts";
import type { CurrentSpan } from "../domain/span.ts";
import { createHashGate, type HashGateDeps, type HashGateStats } from "./hash-gate.ts";
import {
  costInBounds,
  decodePhc,
  encodePhc,
  HASH_COST_DEFAULT,
  type HashCost,
  phcPrefix,
  workOf,
} from "./phc.ts";
import { traceEntries } from "./traced-entries.ts";

const SALT_BYTES = 16;
const HASH_BYTES = 32;

/** Computes one argon2id hash of `HASH_BYTES` bytes. Anything slow may stand in for it in a test. */
export type RawHash = (secret: string, salt: Uint8Array, cost: HashCost) => Promise<Buffer>;

export interface HasherDeps extends HashGateDeps {
  readonly cost?: HashCost;
  readonly randomBytes: RandomBytes;
  readonly rawHash?: RawHash;
  /** Absent where no traces are kept. */
  readonly currentSpan?: CurrentSpan | undefined;
}

export interface Hasher {
  /**
   * The canonical PHC string of a secret. Rejects with `unavailable` (hash_queue) or the signal's fault.
   * @param group whose caller it is: those of one take turns with those of the others.
   */
  hash(secret: string, signal?: AbortSignal, group?: string): Promise<string>;
  /** The same, but only if a permit is free this moment and nobody waits; otherwise undefined and nothing happens. */
  tryHashIdle(secret: string): Promise<string> | undefined;
  /** Whether the secret is the one behind a PHC string, by that string's own cost. Rejects like `hash`, or with `internal`
   *  when the string is not one that `hash` could have written. */
  verify(phc: string, secret: string, signal?: AbortSignal, group?: string): Promise<boolean>;
  /** Whether a PHC string of `hash`'s kind took less work than new hashes do: memory times passes. */
  isCheaper(phc: string): boolean;
  stats(): HashGateStats;
}

/** argon2id behind a semaphore with a bounded first-come-first-served queue. @throws RangeError for a cost out of bounds. */
export function createHasher(deps: HasherDeps): Hasher {
  const { cost = HASH_COST_DEFAULT, rawHash = argon2Raw, randomBytes } = deps;
  if (!costInBounds(cost)) throw new RangeError("argon2id cost out of bounds");
  const gate = createHashGate(deps);
  const enter =
    deps.currentSpan === undefined ? gate.enter : traceEntries(gate.enter, deps.currentSpan, deps.now);
  const prefix = phcPrefix(cost);

  const freshHash = (secret: string) => async (): Promise<string> => {
    const salt = randomBytes(SALT_BYTES);
    return encodePhc(cost, salt, await rawHash(secret, salt, cost));
  };

  return {
    hash: (secret, signal, group) => enter(freshHash(secret), signal, group),
    tryHashIdle: (secret) => gate.tryEnter(freshHash(secret)),
    verify: async (phc, secret, signal, group) => {
      const stored = decodePhc(phc);
      const again = await enter(() => rawHash(secret, stored.salt, stored.cost), signal, group);
      return timingSafeEqual(again, stored.hash);
    },
    isCheaper: (phc) => !phc.startsWith(prefix) && workOf(decodePhc(phc).cost) < workOf(cost),
    stats: gate.stats,
  };
}

const argon2Raw: RawHash = (secret, salt, cost) =>
  argon2Hash(secret, {
    raw: true,
    type: argon2id,
    version: 0x13,
    salt: Buffer.from(salt),
    hashLength: HASH_BYTES,
    memoryCost: cost.memoryKib,
    timeCost: cost.passes,
    parallelism: cost.lanes,
  });
