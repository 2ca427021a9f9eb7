import { FaultError } from "../domain/fault.ts";

/** Cost of argon2id (RFC 9106): memory in KiB, passes over it, lanes. */
export interface HashCost {
  readonly memoryKib: number;
  readonly passes: number;
  readonly lanes: number;
}

/** The OWASP minimum, about 20 ms on one core; never the library's defaults (64 MiB, 4 lanes). */
export const HASH_COST_DEFAULT: HashCost = { memoryKib: 19_456, passes: 2, lanes: 1 };
/** What config may ask for, and the most that a stored row may: 128 MiB a hash, so a hostile row cannot take the memory. */
export const HASH_COST_MAX: HashCost = { memoryKib: 131_072, passes: 10, lanes: 4 };

const PHC = /^\$argon2id\$v=19\$m=(\d{1,6}),t=(\d{1,2}),p=(\d)\$([A-Za-z0-9+/]{22})\$([A-Za-z0-9+/]{43})$/;

/** Canonical order (m, t, p): the library's own strings are refused by libargon2 and by Go's. */
export const encodePhc = (cost: HashCost, salt: Uint8Array, hash: Uint8Array): string =>
  `${phcPrefix(cost)}${unpadded(salt)}$${unpadded(hash)}`;

/**
 * KiB times passes: what an attacker pays for a guess. One number, so that of two costs never each is the lower one, and
 * of servers that are configured differently none undoes what another has done.
 */
export const workOf = ({ memoryKib, passes }: HashCost): number => memoryKib * passes;

/** What all hashes of one cost begin with. */
export const phcPrefix = ({ memoryKib, passes, lanes }: HashCost): string =>
  `$argon2id$v=19$m=${memoryKib},t=${passes},p=${lanes}$`;

const unpadded = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64").replace(/=+$/, "");

/** Only what `encodePhc` writes. Anything else is a damaged or hostile row: a fault, never an answer of "wrong secret". */
export function decodePhc(phc: string): {
  readonly cost: HashCost;
  readonly salt: Buffer;
  readonly hash: Buffer;
} {
  const [, m, t, p, salt = "", hash = ""] = PHC.exec(phc) ?? [];
  const cost: HashCost = { memoryKib: Number(m), passes: Number(t), lanes: Number(p) };
  const decoded = { cost, salt: Buffer.from(salt, "base64"), hash: Buffer.from(hash, "base64") };
  if (costInBounds(cost) && encodePhc(cost, decoded.salt, decoded.hash) === phc) return decoded;
  throw new FaultError(
    { kind: "internal" },
    { cause: new Error("stored hash is not a canonical PHC string") },
  );
}

export const costInBounds = (cost: HashCost): boolean =>
  isWithin(cost.lanes, 1, HASH_COST_MAX.lanes) &&
  isWithin(cost.passes, 1, HASH_COST_MAX.passes) &&
  // RFC 9106 wants 8 KiB a lane.
  isWithin(cost.memoryKib, 8 * cost.lanes, HASH_COST_MAX.memoryKib);

const isWithin = (value: number, min: number, max: number): boolean =>
  Number.isInteger(value) && value >= min && value <= max;
