import assert from "node:assert/strict";
import { createSecretKey, randomBytes } from "node:crypto";
import type { KeyRing } from "../../src/auth/root-keys.ts";
import { createSigningKeyRing, type SigningKeyRing } from "../../src/auth/signing-key-ring.ts";
import type { SigningKeyEvent, SigningKeyRingDeps } from "../../src/auth/signing-key-ring-deps.ts";
import type { NewSigningKey, StoredSigningKey } from "../../src/domain/signing-key.ts";
import { eventually } from "./eventually.ts";
import { type ManualClock, manualClock } from "./manual-clock.ts";

export const DAY_MS = 86_400_000;
export const KEY_AGE_SECONDS_MAX = 30 * 86_400;

/** Keys of which every byte is this. */
export const sealingKeys = (current: number, ...retired: number[]): KeyRing => {
  const key = (byte: number) => createSecretKey(Buffer.alloc(32, byte));
  return [key(current), ...retired.map(key)];
};

export interface MemoryStore {
  list: SigningKeyRingDeps["list"];
  readonly add: SigningKeyRingDeps["add"];
  keys: StoredSigningKey[];
  listCount: number;
  addCount: number;
  /** Whatever is asked of it fails. */
  isAway: boolean;
}

/** What the database does, on a clock that is moved by hand and is ahead of the servers' by `aheadMs`. */
export function memoryStore(clock: ManualClock, aheadMs = 0): MemoryStore {
  const nowMs = () => clock.now() + aheadMs;
  const store: MemoryStore = {
    keys: [],
    listCount: 0,
    addCount: 0,
    isAway: false,
    list: async () => {
      store.listCount += 1;
      if (store.isAway) throw new Error("away");
      return { keys: [...store.keys], readAt: new Date(nowMs()) };
    },
    add: async (_signal, { kid, sealedPrivateKey, ageSecondsMax, publishAheadSeconds }: NewSigningKey) => {
      store.addCount += 1;
      if (store.isAway) throw new Error("away");
      const newest = store.keys.at(-1)?.signsFrom.getTime();
      const oldestMs = nowMs() - (ageSecondsMax ?? 0) * 1000;
      if (newest !== undefined && ageSecondsMax !== undefined && newest > oldestMs) return false;
      const signsFrom = new Date(nowMs() + (newest === undefined ? 0 : publishAheadSeconds * 1000));
      store.keys.push({ kid, sealedPrivateKey, signsFrom });
      return true;
    },
  };
  return store;
}

export interface RingUnderTest {
  readonly ring: SigningKeyRing;
  readonly clock: ManualClock;
  readonly events: readonly SigningKeyEvent[];
  /** Resolves when the load under way has ended. */
  settled(): Promise<void>;
  /** Moves the clock to the next load that is due and waits for its end. */
  nextLoad(): Promise<void>;
  /** Moves the clock, by no less than there is between two loads, to end with one. */
  pass(ms: number): Promise<void>;
}

/** A ring on a clock of its own that has loaded once, with chance always at one half. */
export async function givenRing(
  store: Pick<SigningKeyRingDeps, "list" | "add">,
  options: Partial<SigningKeyRingDeps> & { readonly clock?: ManualClock } = {},
): Promise<RingUnderTest> {
  const { clock = manualClock(), ...deps } = options;
  const events: SigningKeyEvent[] = [];
  const timers = clock.timerCount();
  const ring = createSigningKeyRing({
    list: (signal) => store.list(signal),
    add: (signal, key) => store.add(signal, key),
    sealingKeys: sealingKeys(1),
    keyAgeSecondsMax: KEY_AGE_SECONDS_MAX,
    randomBytes,
    now: clock.now,
    after: clock.after,
    random: () => 0.5,
    onEvent: (event) => void events.push(event),
    ...deps,
  });
  // The one timer of a ring is set when its load has ended.
  const settled = async () => void (await eventually(() => clock.timerCount() > timers));
  const nextLoad = async () => {
    clock.advanceToTimer();
    await settled();
  };
  await settled();
  return {
    ring,
    clock,
    events,
    settled,
    nextLoad,
    async pass(ms) {
      clock.advance(ms - RELOAD_MS);
      await settled();
      await nextLoad();
    },
  };
}

/** Between two loads, when chance is at one half. */
const RELOAD_MS = 28_500;

export const kidsOf = (ring: SigningKeyRing): string[] => ring.publicKeys().map(({ kid }) => kid);

export function only<T>(items: readonly T[]): T {
  assert.equal(items.length, 1);
  return items[0] as T;
}
