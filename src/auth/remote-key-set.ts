import { unavailable } from "../domain/fault.ts";
import { waitFor } from "../domain/wait-for.ts";
import { assertIssuerName, fetchPublishedKeys } from "./issuer-metadata.ts";
import type { KeySet } from "./key-set.ts";
import { defaultKeySetDeps, type KeySetDeps, type KeySetRefresh } from "./key-set-deps.ts";
import { KeySetError } from "./key-set-error.ts";
import { areSameKeys, noKeys, type PublishedKeys, readKeys } from "./published-keys.ts";
import type { VerificationKey } from "./verification-key.ts";

const REFRESH_TIMEOUT_MS = 5_000;
const REFRESH_AFTER_MS = 10 * 60_000;
const UNKNOWN_KEY_REFRESH_INTERVAL_MS = 30_000;
const USABLE_FOR_MS = 24 * 60 * 60_000;
const RETRY_DELAY_MS_MIN = 1_000;
const RETRY_DELAY_MS_MAX = 60_000;

interface State {
  readonly issuer: string;
  readonly deps: Required<KeySetDeps>;
  readonly closing: AbortController;
  keys: PublishedKeys;
  changeCount: number;
  /** When the fetch of `keys` began; undefined before the first one. */
  loadedAtMs: number | undefined;
  attemptCount: number;
  /** Since the last success. */
  failureCount: number;
  /** No attempt before this time. */
  retryAtMs: number;
  /** No attempt for the sake of an unknown key id before this time. */
  unknownKeyRefreshAtMs: number;
  /** The attempt under way. It never rejects. */
  flight: Promise<void> | undefined;
  cancelTimer: () => void;
}

/**
 * The keys that an issuer publishes, fetched when first needed and kept fresh: every 10 minutes in the background, and
 * at most once in 30 s for a key id nobody has seen. The last good set is used for 24 h while the issuer is away.
 * @param issuer the `iss` of its tokens, character for character.
 * @throws TypeError for an issuer that is no URL, or neither https nor on this machine.
 */
export function remoteKeySet(issuer: string, deps: KeySetDeps = {}): KeySet {
  assertIssuerName(issuer);
  const state: State = {
    issuer,
    deps: { ...defaultKeySetDeps, ...deps },
    closing: new AbortController(),
    keys: noKeys,
    changeCount: 0,
    loadedAtMs: undefined,
    attemptCount: 0,
    failureCount: 0,
    retryAtMs: Number.NEGATIVE_INFINITY,
    unknownKeyRefreshAtMs: Number.NEGATIVE_INFINITY,
    flight: undefined,
    cancelTimer: () => undefined,
  };
  return {
    keyFor: (kid, signal) => keyFor(state, kid, signal),
    changeCount: () => state.changeCount,
    ready: (signal) => holdUsableSet(state, signal),
    loaded: () => isUsable(state),
    close: () => {
      state.cancelTimer();
      state.closing.abort(new KeySetError("closed"));
    },
  };
}

async function keyFor(state: State, kid: string, signal?: AbortSignal): Promise<VerificationKey | undefined> {
  const attemptCountBefore = state.attemptCount;
  await holdUsableSet(state, signal);
  const isMissing = () => !state.keys.byId.has(kid);
  if (isMissing() && state.flight) await waitFor(state.flight, signal);
  // An attempt that began before this call may have been answered before the key was made; a later one has not.
  if (isMissing() && state.attemptCount === attemptCountBefore) refreshForUnknownKey(state);
  if (isMissing() && state.flight) await waitFor(state.flight, signal);
  if (isMissing() && isBlind(state)) throw keySetUnavailable(state);
  return state.keys.byId.get(kid);
}

async function holdUsableSet(state: State, signal?: AbortSignal): Promise<void> {
  if (!isUsable(state)) {
    await waitFor(refresh(state), signal);
    if (!isUsable(state)) throw keySetUnavailable(state);
  } else if (ageMs(state) >= REFRESH_AFTER_MS) {
    // The timer does this too, unless the machine was asleep. Nobody waits for it.
    void refresh(state);
  }
}

const ageMs = (state: State): number => state.deps.now() - (state.loadedAtMs ?? Number.NEGATIVE_INFINITY);

const isUsable = (state: State): boolean => ageMs(state) < USABLE_FOR_MS;

/** True while the issuer's present keys cannot be known. */
const isBlind = (state: State): boolean => state.failureCount > 0 || state.closing.signal.aborted;

const keySetUnavailable = (state: State) =>
  unavailable("key_set", Math.max(RETRY_DELAY_MS_MIN, Math.ceil(state.retryAtMs - state.deps.now())));

/** A flood of invented key ids must not become a flood of requests to the issuer. */
function refreshForUnknownKey(state: State): void {
  const now = state.deps.now();
  if (now < state.unknownKeyRefreshAtMs) return;
  void refresh(state);
  if (state.flight) state.unknownKeyRefreshAtMs = now + UNKNOWN_KEY_REFRESH_INTERVAL_MS;
}

/** Joins the attempt under way or begins one, unless the last failure forbids it for now. Never rejects. */
async function refresh(state: State): Promise<void> {
  if (state.flight) return state.flight;
  if (state.closing.signal.aborted || state.deps.now() < state.retryAtMs) return;
  state.attemptCount++;
  state.cancelTimer();
  state.flight = attempt(state).finally(() => {
    state.flight = undefined;
  });
  return state.flight;
}

async function attempt(state: State): Promise<void> {
  const { after, fetch, now } = state.deps;
  const deadline = new AbortController();
  const cancelDeadline = after(REFRESH_TIMEOUT_MS, () => deadline.abort(new KeySetError("timeout")));
  const startedAtMs = now();
  try {
    const signal = AbortSignal.any([state.closing.signal, deadline.signal]);
    const document = await fetchPublishedKeys(fetch, state.issuer, signal);
    accept(state, await readKeys(document, state.keys), startedAtMs);
  } catch (err) {
    refuse(state, err instanceof KeySetError ? err : new KeySetError("unexpected", { cause: err }));
  } finally {
    cancelDeadline();
  }
}

function accept(state: State, keys: PublishedKeys, startedAtMs: number): void {
  if (!areSameKeys(keys, state.keys)) state.changeCount++;
  state.keys = keys;
  state.loadedAtMs = startedAtMs;
  state.failureCount = 0;
  // A little early and not all at the same moment, so that replicas started together do not ask together.
  schedule(state, REFRESH_AFTER_MS * (0.9 + 0.1 * state.deps.random()));
  tell(state, { kind: "loaded", keyCount: keys.byId.size, skipped: keys.skipped });
}

/** Exponential back-off; half of each delay is left to chance. */
function refuse(state: State, error: KeySetError): void {
  const ceilingMs = Math.min(RETRY_DELAY_MS_MAX, 2 * RETRY_DELAY_MS_MIN * 2 ** state.failureCount);
  const retryDelayMs = Math.round((ceilingMs / 2) * (1 + state.deps.random()));
  state.failureCount++;
  state.retryAtMs = state.deps.now() + retryDelayMs;
  schedule(state, retryDelayMs);
  tell(state, { kind: "failed", error, retryDelayMs });
}

/** A key that its issuer withdraws must go even while nobody calls, so the clock asks as well as the callers. */
function schedule(state: State, delayMs: number): void {
  if (state.closing.signal.aborted) return;
  state.cancelTimer = state.deps.after(delayMs, () => {
    // Timers may run a moment early; this one must not find that it is not due.
    state.retryAtMs = Number.NEGATIVE_INFINITY;
    void refresh(state);
  });
}

/** A listener that throws must not look like an issuer that fails. */
function tell(state: State, outcome: KeySetRefresh): void {
  try {
    state.deps.onRefresh(outcome);
  } catch {
    // Nobody is left to be told.
  }
}
