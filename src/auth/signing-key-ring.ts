import { FaultError, unavailable } from "../domain/fault.ts";
import type { RandomBytes } from "../domain/secret.ts";
import type { NewSigningKey, PublicJwk, StoredSigningKeys } from "../domain/signing-key.ts";
import { waitFor } from "../domain/wait-for.ts";
import type { KeyRing } from "./root-keys.ts";
import {
  makeSigningKey,
  openSigningKey,
  PUBLISH_AHEAD_SECONDS,
  type SigningKey,
  type SigningKeyProblem,
} from "./signing-key.ts";

export interface SigningKeyRingDeps {
  readonly list: (signal: AbortSignal) => Promise<StoredSigningKeys>;
  readonly add: (signal: AbortSignal, key: NewSigningKey) => Promise<boolean>;
  /** The server's, for this purpose. A retired one stays for as long as a key that it sealed is stored. */
  readonly sealingKeys: KeyRing;
  /** Seconds after which the newest key gets a successor. */
  readonly keyAgeSecondsMax: number;
  readonly randomBytes: RandomBytes;
  /** In ms from any start: only differences count. */
  readonly now?: () => number;
  /** From 0 to 1, for jitter. */
  readonly random?: () => number;
  /** Runs something once, after a delay in ms, unless the returned function is called before. */
  readonly after?: (delayMs: number, run: () => void) => () => void;
  /** Told what became of the keys. Must not throw. */
  readonly onEvent?: (event: SigningKeyEvent) => void;
}

export type SigningKeyEvent =
  | { readonly kind: "added"; readonly kid: string }
  /** Other keys than before are held, or others are skipped. */
  | {
      readonly kind: "changed";
      readonly kids: readonly string[];
      readonly skipped: readonly SkippedSigningKey[];
    }
  | { readonly kind: "failed"; readonly err: unknown; readonly retryDelayMs: number };

export interface SkippedSigningKey {
  readonly kid: string;
  readonly problem: SigningKeyProblem;
}

/** The keys that sign access tokens, as all servers share them. What throws `unavailable` does so while none is held. */
export interface SigningKeyRing {
  /** The key to sign with now. @throws FaultError unavailable */
  current(): SigningKey;
  /**
   * The key with this id; undefined when the database, asked recently enough, has none that is ours.
   * @throws FaultError unavailable while nobody can know, or the fault of an aborted `signal`.
   */
  find(kid: string, signal?: AbortSignal): Promise<SigningKey | undefined>;
  /** What is published: keys that will sign, the one that does, and those whose tokens may still live. @throws FaultError unavailable */
  publicKeys(): readonly PublicJwk[];
  /** The database's clock as last seen, in ms since the epoch. @throws FaultError unavailable */
  databaseNow(): number;
  /** Whether a key is held. */
  loaded(): boolean;
  /** Ends the load under way and every timer. Keys that are held go on to be answered. */
  stop(): void;
}

const RELOAD_MS = 30_000;
const LOAD_TIMEOUT_MS = 5_000;
const RETRY_DELAY_MS_MIN = 1_000;
const UNKNOWN_KEY_RELOAD_INTERVAL_MS = 10_000;

interface HeldKey extends SigningKey {
  readonly signsFromMs: number;
}

/** At least one key, those that sign first before the others. */
type Held = readonly [HeldKey, ...HeldKey[]];

/**
 * Loads the keys at once and then twice a minute, and gives the newest one a successor in time; what two servers add at
 * the same moment is one key (add_signing_key.sql). While the database is away the last good set is used.
 */
export function createSigningKeyRing(deps: SigningKeyRingDeps): SigningKeyRing {
  const { now = () => performance.now(), random = Math.random, after = startTimer, onEvent } = deps;
  const closing = new AbortController();
  let held: Held | undefined;
  let summary = "";
  /** What the database's clock is ahead of ours. */
  let offsetMs = 0;
  /** Whether the last load failed, so that a key which is not held may be stored all the same. */
  let isBlind = true;
  let failureCount = 0;
  let flight: Promise<void> | undefined;
  let cancelTimer = () => {};
  let unknownKeyReloadAtMs = Number.NEGATIVE_INFINITY;

  function requireHeld(): Held {
    if (held === undefined) throw unavailable("signing_key", RETRY_DELAY_MS_MIN);
    return held;
  }

  async function load(signal: AbortSignal): Promise<StoredSigningKeys> {
    isBlind = true;
    const stored = await deps.list(signal);
    isBlind = false;
    offsetMs = stored.readAt.getTime() - now();
    const { keys, skipped } = openAll(stored, deps.sealingKeys);
    const [first, ...more] = keys;
    held = first === undefined ? undefined : [first, ...more];
    const kids = keys.map(({ kid }) => kid);
    const seen = JSON.stringify([kids, skipped]);
    if (seen !== summary) onEvent?.({ kind: "changed", kids, skipped });
    summary = seen;
    return stored;
  }

  async function addWhenDue({ keys }: StoredSigningKeys, signal: AbortSignal): Promise<void> {
    const newest = held?.at(-1);
    const { keyAgeSecondsMax } = deps;
    if (newest !== undefined && now() + offsetMs - newest.signsFromMs < keyAgeSecondsMax * 1000) return;
    const made = makeSigningKey(deps.sealingKeys, deps.randomBytes);
    // Keys that are there and do not open are as good as none, however new they are.
    const ageSecondsMax = newest === undefined && keys.length > 0 ? 0 : keyAgeSecondsMax;
    const wanted = { ...made, ageSecondsMax, publishAheadSeconds: PUBLISH_AHEAD_SECONDS };
    if (await deps.add(signal, wanted)) onEvent?.({ kind: "added", kid: made.kid });
    await load(signal);
  }

  /** Never rejects. Resolves to the delay of the next attempt. */
  async function attempt(): Promise<number> {
    try {
      const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(LOAD_TIMEOUT_MS)]);
      await addWhenDue(await load(signal), signal);
      failureCount = 0;
      // Not all at the same moment, so that replicas started together do not ask together.
      return RELOAD_MS * (0.9 + 0.1 * random());
    } catch (err) {
      const ceilingMs = Math.min(RELOAD_MS, 2 * RETRY_DELAY_MS_MIN * 2 ** failureCount);
      failureCount += 1;
      const retryDelayMs = Math.round((ceilingMs / 2) * (1 + random()));
      if (!closing.signal.aborted) onEvent?.({ kind: "failed", err, retryDelayMs });
      return retryDelayMs;
    }
  }

  /** Joins the attempt under way or begins one. */
  function reload(): Promise<void> {
    if (closing.signal.aborted) return Promise.resolve();
    cancelTimer();
    flight ??= attempt().then((delayMs) => {
      flight = undefined;
      if (!closing.signal.aborted) cancelTimer = after(delayMs, () => void reload());
    });
    return flight;
  }

  const heldKey = (kid: string) => held?.find((key) => key.kid === kid);

  async function find(kid: string, signal?: AbortSignal): Promise<SigningKey | undefined> {
    // A load that had begun may have been answered before the key was added, so it is not the one asked for below.
    if (heldKey(kid) === undefined && flight !== undefined) await waitFor(flight, signal);
    if (heldKey(kid) === undefined && now() >= unknownKeyReloadAtMs) {
      // A flood of invented ids must not become a flood of statements.
      unknownKeyReloadAtMs = now() + UNKNOWN_KEY_RELOAD_INTERVAL_MS;
      await waitFor(reload(), signal);
    }
    const key = heldKey(kid);
    if (key === undefined && (isBlind || held === undefined))
      throw unavailable("signing_key", RETRY_DELAY_MS_MIN);
    return key;
  }

  void reload();
  return {
    current: () => {
      const keys = requireHeld();
      const nowMs = now() + offsetMs;
      return keys.findLast(({ signsFromMs }) => signsFromMs <= nowMs) ?? keys[0];
    },
    find,
    publicKeys: () => requireHeld().map(({ publicJwk }) => publicJwk),
    databaseNow: () => {
      requireHeld();
      return now() + offsetMs;
    },
    loaded: () => held !== undefined,
    stop: () => {
      cancelTimer();
      closing.abort(new FaultError({ kind: "cancelled" }));
    },
  };
}

/** The keys that open. One that does not is left out and named: it must not take the others with it. */
function openAll({ keys: stored }: StoredSigningKeys, sealingKeys: KeyRing) {
  const keys: HeldKey[] = [];
  const skipped: SkippedSigningKey[] = [];
  for (const sealed of stored) {
    const key = openSigningKey(sealed, sealingKeys);
    if (typeof key === "string") skipped.push({ kid: sealed.kid, problem: key });
    else keys.push({ ...key, signsFromMs: sealed.signsFrom.getTime() });
  }
  return { keys, skipped };
}

const startTimer = (delayMs: number, run: () => void): (() => void) => {
  const timer = setTimeout(run, delayMs).unref();
  return () => clearTimeout(timer);
};
