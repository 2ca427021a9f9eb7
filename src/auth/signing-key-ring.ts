import { FaultError, unavailable } from "../domain/fault.ts";
import type { PublicJwk, StoredSigningKeys } from "../domain/signing-key.ts";
import { waitFor } from "../domain/wait-for.ts";
import type { KeyRing } from "./root-keys.ts";
import { makeSigningKey, openSigningKey, PUBLISH_AHEAD_SECONDS, type SigningKey } from "./signing-key.ts";
import {
  defaultSigningKeyRingDeps,
  type SigningKeyRingDeps,
  type SkippedSigningKey,
} from "./signing-key-ring-deps.ts";

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

interface State {
  readonly deps: Required<SigningKeyRingDeps>;
  readonly closing: AbortController;
  held: Held | undefined;
  /** What was last told of them. */
  told: string;
  /** What the database's clock is ahead of ours. */
  offsetMs: number;
  /** Whether the last load failed, so that a key which is not held may be stored all the same. */
  isBlind: boolean;
  /** Since the last success. */
  failureCount: number;
  /** The load under way. It never rejects. */
  flight: Promise<void> | undefined;
  /** No load for the sake of an unknown key id before this time. */
  unknownKeyReloadAtMs: number;
  cancelTimer: () => void;
}

/**
 * Loads the keys at once and then twice a minute, and gives the newest one a successor in time; what two servers add at
 * the same moment is one key (add_signing_key.sql). While the database is away the last good set is used.
 */
export function createSigningKeyRing(deps: SigningKeyRingDeps): SigningKeyRing {
  const state: State = {
    deps: { ...defaultSigningKeyRingDeps, ...deps },
    closing: new AbortController(),
    held: undefined,
    told: "",
    offsetMs: 0,
    isBlind: true,
    failureCount: 0,
    flight: undefined,
    unknownKeyReloadAtMs: Number.NEGATIVE_INFINITY,
    cancelTimer: () => undefined,
  };
  void reload(state);
  return {
    current: () => {
      const keys = requireHeld(state);
      return keys.findLast(({ signsFromMs }) => signsFromMs <= databaseNow(state)) ?? keys[0];
    },
    find: (kid, signal) => find(state, kid, signal),
    publicKeys: () => requireHeld(state).map(({ publicJwk }) => publicJwk),
    databaseNow: () => {
      requireHeld(state);
      return databaseNow(state);
    },
    loaded: () => state.held !== undefined,
    stop: () => {
      state.cancelTimer();
      state.closing.abort(new FaultError({ kind: "cancelled" }));
    },
  };
}

const databaseNow = ({ deps, offsetMs }: State): number => deps.now() + offsetMs;

const noKey = () => unavailable("signing_key", RETRY_DELAY_MS_MIN);

function requireHeld({ held }: State): Held {
  if (held === undefined) throw noKey();
  return held;
}

async function find(state: State, kid: string, signal?: AbortSignal): Promise<SigningKey | undefined> {
  const held = () => state.held?.find((key) => key.kid === kid);
  // A load that had begun may have been answered before the key was added, so it is not the one asked for below.
  if (held() === undefined && state.flight !== undefined) await waitFor(state.flight, signal);
  const now = state.deps.now();
  if (held() === undefined && now >= state.unknownKeyReloadAtMs) {
    // A flood of invented ids must not become a flood of statements.
    state.unknownKeyReloadAtMs = now + UNKNOWN_KEY_RELOAD_INTERVAL_MS;
    await waitFor(reload(state), signal);
  }
  const key = held();
  if (key === undefined && (state.isBlind || state.held === undefined)) throw noKey();
  return key;
}

/** Joins the load under way or begins one. Never rejects. */
async function reload(state: State): Promise<void> {
  if (state.closing.signal.aborted) return;
  state.cancelTimer();
  state.flight ??= attempt(state).then((delayMs) => {
    state.flight = undefined;
    if (!state.closing.signal.aborted)
      state.cancelTimer = state.deps.after(delayMs, () => void reload(state));
  });
  await state.flight;
}

/** Never rejects. Resolves to the delay of the next attempt. */
async function attempt(state: State): Promise<number> {
  const { random, onEvent } = state.deps;
  try {
    const signal = AbortSignal.any([state.closing.signal, AbortSignal.timeout(LOAD_TIMEOUT_MS)]);
    await addWhenDue(state, await load(state, signal), signal);
    state.failureCount = 0;
    // Not all at the same moment, so that replicas started together do not ask together.
    return RELOAD_MS * (0.9 + 0.1 * random());
  } catch (err) {
    const ceilingMs = Math.min(RELOAD_MS, 2 * RETRY_DELAY_MS_MIN * 2 ** state.failureCount);
    state.failureCount += 1;
    const retryDelayMs = Math.round((ceilingMs / 2) * (1 + random()));
    if (!state.closing.signal.aborted) onEvent({ kind: "failed", err, retryDelayMs });
    return retryDelayMs;
  }
}

async function load(state: State, signal: AbortSignal): Promise<StoredSigningKeys> {
  const { list, now, sealingKeys, onEvent } = state.deps;
  state.isBlind = true;
  const stored = await list(signal);
  state.isBlind = false;
  state.offsetMs = stored.readAt.getTime() - now();
  const { keys, skipped } = openAll(stored, sealingKeys);
  const [first, ...more] = keys;
  state.held = first === undefined ? undefined : [first, ...more];
  const kids = keys.map(({ kid }) => kid);
  const telling = JSON.stringify([kids, skipped]);
  if (telling !== state.told) onEvent({ kind: "changed", kids, skipped });
  state.told = telling;
  return stored;
}

async function addWhenDue(state: State, stored: StoredSigningKeys, signal: AbortSignal): Promise<void> {
  const { add, keyAgeSecondsMax, sealingKeys, randomBytes, onEvent } = state.deps;
  const newest = state.held?.at(-1);
  if (newest !== undefined && databaseNow(state) - newest.signsFromMs < keyAgeSecondsMax * 1000) return;
  const made = makeSigningKey(sealingKeys, randomBytes);
  // Keys that are there and do not open are as good as none, however new they are.
  const ageSecondsMax = newest === undefined && stored.keys.length > 0 ? 0 : keyAgeSecondsMax;
  const isAdded = await add(signal, { ...made, ageSecondsMax, publishAheadSeconds: PUBLISH_AHEAD_SECONDS });
  if (isAdded) onEvent({ kind: "added", kid: made.kid });
  await load(state, signal);
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
