import type { RandomBytes } from "../domain/secret.ts";
import type { NewSigningKey, StoredSigningKeys } from "../domain/signing-key.ts";
import type { KeyRing } from "./root-keys.ts";
import type { SigningKeyProblem } from "./signing-key.ts";

/** What a ring of signing keys needs of the world. */
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

export const defaultSigningKeyRingDeps = {
  now: () => performance.now(),
  random: Math.random,
  after: (delayMs: number, run: () => void) => {
    const timer = setTimeout(run, delayMs).unref();
    return () => clearTimeout(timer);
  },
  onEvent: () => undefined,
} satisfies Partial<SigningKeyRingDeps>;
