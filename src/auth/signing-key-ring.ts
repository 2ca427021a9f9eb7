import { FaultError, unavailable } from "../domain/fault.ts";
import type { PublicJwk, StoredSigningKeys } from "../domain/signing-key.ts";
import { waitFor } from "../domain/wait-for.ts";
import { type HeldKey, openAll } from "./held-signing-keys.ts";
import { createSharedLook, type SharedLook } from "./shared-look.ts";
import { makeSigningKey, PUBLISH_AHEAD_SECONDS, type SigningKey } from "./signing-key.ts";
import { defaultSigningKeyRingDeps, type SigningKeyRingDeps } from "./signing-key-ring-deps.ts";

/** The keys that sign access tokens, as all servers share them. What throws `unavailable` does so while none is held. */
export interface SigningKeyRing {
  /** The key to sign with now. @throws FaultError unavailable */
  current(): SigningKey;
  /**
   * The key with this id; undefined when the database, asked after this was, has none that is ours.
   * @throws FaultError unavailable when it cannot be asked, or the fault of an aborted `signal`.
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
const UNKNOWN_KEY_LOOK_INTERVAL_MS = 1_000;

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
  /** Loads that succeeded so far. */
  loadCount: number;
  /** Since the last success. */
  failureCount: number;
  /** The load under way. It never rejects. */
  flight: Promise<void> | undefined;
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
    loadCount: 0,
    failureCount: 0,
    flight: undefined,
    cancelTimer: () => undefined,
  };
  void reload(state);
  const unknownKeys = createSharedLook({
    idle: async () => state.flight,
    look: async () => {
      const before = state.loadCount;
      await reload(state);
      return state.loadCount > before;
    },
    intervalMs: UNKNOWN_KEY_LOOK_INTERVAL_MS,
    now: state.deps.now,
    after: state.deps.after,
  });
  return {
    current: () => {
      const keys = requireHeld(state);
      return keys.findLast(({ signsFromMs }) => signsFromMs <= databaseNow(state)) ?? keys[0];
    },
    find: (kid, signal) => find(state, unknownKeys, kid, signal),
    publicKeys: () => requireHeld(state).map(({ publicJwk }) => publicJwk),
    databaseNow: () => {
      requireHeld(state);
      return databaseNow(state);
    },
    loaded: () => state.held !== undefined,
    stop: () => {
      state.cancelTimer();
      state.closing.abort(new FaultError({ kind: "cancelled" }));
      unknownKeys.stop();
    },
  };
}

const databaseNow = ({ deps, offsetMs }: State): number => deps.now() + offsetMs;

const noKey = () => unavailable("signing_key", RETRY_DELAY_MS_MIN);

function requireHeld({ held }: State): Held {
  if (held === undefined) throw noKey();
  return held;
}

async function find(
  state: State,
  unknownKeys: SharedLook,
  kid: string,
  signal?: AbortSignal,
): Promise<SigningKey | undefined> {
  const held = () => state.held?.find((key) => key.kid === kid);
  if (held() !== undefined) return held();
  // Also a key that signs at once, and that another server has seen already, must never pass for none of ours.
  const isLookedUp = await waitFor(unknownKeys.ask(), signal);
  const key = held();
  if (key === undefined && (!isLookedUp || state.held === undefined)) throw noKey();
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
  const stored = await list(signal);
  state.loadCount += 1;
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
