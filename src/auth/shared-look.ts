export interface SharedLookDeps {
  /** Resolves when no look is under way that began before this was asked. Never rejects. */
  readonly idle: () => Promise<void>;
  /** Looks anew. Resolves to whether that succeeded. Never rejects. */
  readonly look: () => Promise<boolean>;
  /** From the beginning of one look to that of the next. */
  readonly intervalMs: number;
  readonly now: () => number;
  readonly after: (delayMs: number, run: () => void) => () => void;
}

export interface SharedLook {
  /** Resolves once a look that began after this was asked has ended: to whether it succeeded. */
  ask(): Promise<boolean>;
  /** Nobody waits for his turn any more: the look is asked for at once. */
  stop(): void;
}

/**
 * For the sake of what is not known: all who ask before the next look begins share it, so that a flood of inventions is no
 * flood of looks, and nobody is told by an older look that there is no such thing.
 */
export function createSharedLook({ idle, look, intervalMs, now, after }: SharedLookDeps): SharedLook {
  let next: Promise<boolean> | undefined;
  let notBeforeMs = Number.NEGATIVE_INFINITY;
  let endPause = () => {};

  async function pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = after(ms, resolve);
    endPause = () => {
      cancel();
      resolve();
    };
    await promise;
  }

  async function lookInTurn(): Promise<boolean> {
    const waitMs = notBeforeMs - now();
    if (waitMs > 0) await pause(waitMs);
    await idle();
    next = undefined;
    notBeforeMs = now() + intervalMs;
    return look();
  }

  return {
    ask() {
      next ??= lookInTurn();
      return next;
    },
    stop: () => endPause(),
  };
}
