import type { KeyObject } from "node:crypto";
import { inspect } from "node:util";
import { abortFault, unavailable } from "../domain/fault.ts";
import { composeSecret, newCredentialId, type RandomBytes, secretHint } from "../domain/secret.ts";
import type { Hasher } from "./hasher.ts";

/** What the database keeps of a secret. */
export interface StoredSecret {
  readonly credentialId: string;
  /** Canonical PHC string. */
  readonly secretHash: string;
  /** Last four characters. */
  readonly hint: string;
}

/** A fresh secret. `secret` is not enumerable: printing, logging, spreading or cloning a Minted leaves it behind. */
export interface Minted {
  readonly credentialId: string;
  readonly secret: string;
  readonly stored: StoredSecret;
}

export interface MintDeps {
  readonly hasher: Pick<Hasher, "hash" | "tryHashIdle">;
  readonly prefix: string;
  readonly tagKey: KeyObject;
  readonly randomBytes: RandomBytes;
  /** When to begin to fill the pool, where nobody takes from it before; default: now. */
  readonly started?: Promise<unknown> | undefined;
  /** Secrets kept ready. Default 64, about 1.3 s of one core's idle time. */
  readonly poolSize?: number;
  /** Calls once after `delayMs`, returns how to call it off. The default does not keep the process alive. */
  readonly startTimer?: (call: () => void, delayMs: number) => () => void;
  /** Told why a refill failed; the mint tries again by itself. Must not throw. */
  readonly onRefillError?: (err: unknown) => void;
}

export interface Mint {
  /**
   * A secret nobody has seen: from the pool at once, or hashed now. Rejects like `Hasher.hash`, or `unavailable` (draining).
   * @param group whose caller it is, as there.
   */
  take(signal?: AbortSignal, group?: string): Promise<Minted>;
  /**
   * Takes back what was neither stored nor shown, so that a refused create costs no hash. Not for a create whose answer
   * was lost: it may be stored. A second time, or a Minted that is not out, is ignored.
   */
  giveBack(minted: Minted): void;
  /** How many secrets are ready. */
  level(): number;
  /** Drops the pool, takes nothing more in, and resolves when the refill's hash in progress has ended. */
  close(): Promise<void>;
}

/** How long to leave the hasher alone when foreground callers hold it. */
const BUSY_MS = 25;
/** How long a take goes before its refill: most creates are answered by then, and none shares the cores with its own. */
const REFILL_DELAY_MS = 25;
const BACKOFF_MS_MIN = 100;
const BACKOFF_MS_MAX = 30_000;
const DRAINING_RETRY_MS = 1_000;

/**
 * A pool of fresh (credential id, secret, hash) triples, so that a create rarely waits for argon2. Entries are written
 * nowhere and die with the process. Close it once the doors have drained.
 */
export function createMint(deps: MintDeps): Mint {
  const { hasher, prefix, tagKey, randomBytes, poolSize = 64 } = deps;
  const pool: Minted[] = [];
  /** What is out and may come back once. Weak, because most never do. */
  const lent = new WeakSet<Minted>();
  let closed = false;

  const draft = () => {
    const credentialId = newCredentialId(randomBytes);
    return { credentialId, secret: composeSecret({ prefix, credentialId, tagKey, randomBytes }) };
  };
  const keep = (fresh: Minted): void => {
    if (!closed && pool.length < poolSize) pool.push(fresh);
  };
  const filler = createFiller(deps, {
    isWanted: () => !closed && pool.length < poolSize,
    fillOne: async () => {
      const { credentialId, secret } = draft();
      const secretHash = await hasher.tryHashIdle(secret);
      if (secretHash !== undefined) keep(minted(credentialId, secret, secretHash));
      return secretHash !== undefined;
    },
  });

  /** For a dry pool. Whoever waits here stands in the hasher's queue, ahead of every refill. */
  const mintNow = async (signal: AbortSignal | undefined, group: string | undefined): Promise<Minted> => {
    const { credentialId, secret } = draft();
    const fresh = minted(credentialId, secret, await hasher.hash(secret, signal, group));
    if (!signal?.aborted) return fresh;
    // The caller went while its hash was made: the next one has the use of it.
    keep(fresh);
    throw abortFault(signal);
  };

  if (deps.started === undefined) filler.wake();
  else void deps.started.then(filler.wake);
  return {
    take: async (signal, group) => {
      if (signal?.aborted) throw abortFault(signal);
      if (closed) throw unavailable("draining", DRAINING_RETRY_MS);
      const taken = pool.pop() ?? (await mintNow(signal, group));
      filler.wakeAfter(REFILL_DELAY_MS);
      lent.add(taken);
      return taken;
    },
    giveBack: (unused) => {
      if (lent.delete(unused)) keep(unused);
    },
    level: () => pool.length,
    close: async () => {
      closed = true;
      pool.length = 0;
      await filler.stop();
    },
  };
}

interface Fillable {
  isWanted(): boolean;
  /** Resolves to false when the hasher was busy. */
  fillOne(): Promise<boolean>;
}

/**
 * Calls `fillOne` for as long as more is wanted: one at a time, with a timer between any two. In that gap foreground
 * callers get in, and as the timer is unreferenced an idle process can end after at most the hash in progress.
 */
function createFiller({ startTimer = startUnreferencedTimer, onRefillError }: MintDeps, pool: Fillable) {
  let filling: Promise<void> | undefined;
  let stopTimer: (() => void) | undefined;
  let failures = 0;

  const isStartable = () => pool.isWanted() && filling === undefined && stopTimer === undefined;

  /** Never rejects. Resolves to how long to wait before the next attempt, in milliseconds. */
  const attempt = async (): Promise<number> => {
    try {
      const isFilled = await pool.fillOne();
      if (isFilled) failures = 0;
      return isFilled ? 0 : BUSY_MS;
    } catch (err) {
      onRefillError?.(err);
      failures += 1;
      return Math.min(BACKOFF_MS_MIN * 2 ** (failures - 1), BACKOFF_MS_MAX);
    }
  };

  const wake = (): void => {
    if (!isStartable()) return;
    filling = attempt().then((delayMs) => {
      filling = undefined;
      wakeAfter(delayMs);
    });
  };

  /** Does nothing when there is nothing to do, or when an attempt is on its way already. */
  const wakeAfter = (delayMs: number): void => {
    if (!isStartable()) return;
    stopTimer = startTimer(() => {
      stopTimer = undefined;
      wake();
    }, delayMs);
  };

  const stop = async (): Promise<void> => {
    stopTimer?.();
    await filling;
  };

  return { wake, wakeAfter, stop };
}

function minted(credentialId: string, secret: string, secretHash: string): Minted {
  const shown = () => ({ credentialId, secret: "[withheld]" });
  const entry = {
    credentialId,
    stored: Object.freeze({ credentialId, secretHash, hint: secretHint(secret) }),
  };
  return Object.freeze(
    Object.defineProperties(entry as Minted, {
      secret: { value: secret },
      toJSON: { value: shown },
      [inspect.custom]: { value: shown },
    }),
  );
}

const startUnreferencedTimer = (call: () => void, delayMs: number): (() => void) => {
  const timer = setTimeout(call, delayMs).unref();
  return () => clearTimeout(timer);
};
