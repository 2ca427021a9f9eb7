/** Whether this server should be sent calls: what `/readyz` and the gRPC health of every service answer. */
export interface Readiness {
  /** What keeps the service from taking calls, in one word each; empty when it is ready. */
  unreadyParts(): readonly string[];
  /** Resolves when the parts have been looked at for the first time. */
  readonly looked: Promise<void>;
  /** Calls back at once and at every change. */
  watch(listener: (isReady: boolean) => void): void;
  /** From now on the server is not ready, whatever its parts say. */
  drain(): void;
  stop(): void;
}

export interface ReadinessDeps {
  /** Looks at the parts, and names those that do not do their work. */
  readonly look: () => Promise<readonly string[]>;
  /** Runs `run` once after the delay, unless the returned function is called before. */
  readonly after: (delayMs: number, run: () => void) => () => void;
}

/** The pause between two looks, and that of a server which is not ready: it should not be kept waiting when it could work. */
const LOOK_INTERVAL_MS = 1_000;
const UNREADY_INTERVAL_MS = 100;
/** Failed looks in a row that make a ready server unready. One that succeeds makes it ready. */
const FAILED_LOOKS_MAX = 3;

/**
 * Looks at the parts once a second. One look that fails says little: a connection was lost, a primary moved. Were it
 * believed, every replica would go at the same moment and the service with them. So a server that was ready is unready
 * after three failures in a row.
 */
export function watchReadiness({ look, after }: ReadinessDeps): Readiness {
  const looked = Promise.withResolvers<void>();
  const listeners: ((isReady: boolean) => void)[] = [];
  let unready: readonly string[] = ["starting"];
  let draining = false;
  let failedLooks = FAILED_LOOKS_MAX;
  let cancelTimer = () => {};
  let stopped = false;

  const parts = () => (draining ? ["draining", ...unready] : unready);
  const change = (apply: () => void) => {
    const wasReady = parts().length === 0;
    apply();
    const isReady = parts().length === 0;
    if (wasReady !== isReady) for (const listener of listeners) listener(isReady);
  };
  const lookAgain = async () => {
    const found = await look().catch(() => ["unknown"]);
    failedLooks = found.length === 0 ? 0 : failedLooks + 1;
    if (found.length === 0 || failedLooks >= FAILED_LOOKS_MAX) change(() => (unready = found));
    looked.resolve();
    const pauseMs = unready.length === 0 ? LOOK_INTERVAL_MS : UNREADY_INTERVAL_MS;
    if (!stopped) cancelTimer = after(pauseMs, () => void lookAgain());
  };
  void lookAgain();
  return {
    unreadyParts: parts,
    looked: looked.promise,
    watch(listener) {
      listeners.push(listener);
      listener(parts().length === 0);
    },
    drain: () => change(() => (draining = true)),
    stop() {
      stopped = true;
      cancelTimer();
    },
  };
}
