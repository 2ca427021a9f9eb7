/** Where a program takes its access token from, each time that it needs one. */
export interface TokenSource {
  /**
   * A token that holds for a while yet. Only the first call, and one after a long pause, waits for the service; later ones
   * are answered at once, while the next token is fetched in good time.
   * @param signal ends this caller's wait, and nobody else's.
   * @throws KeyturnError when there is no token that holds, and none can be had.
   */
  token(signal?: AbortSignal): Promise<string>;
  /** Forgets this token, because somebody has refused it before its end. */
  invalidate(token: string): void;
}

export interface MintedToken {
  readonly accessToken: string;
  /** Milliseconds for which it holds, from the moment in which it was asked for. */
  readonly lifetimeMs: number;
}

export interface TokenSourceDeps {
  readonly mint: () => Promise<MintedToken>;
  /** Milliseconds of a clock that is never set. */
  readonly now: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
  /** Told of a refresh that failed while an older token still holds. */
  readonly onRefreshFailed: (err: unknown) => void;
}

interface Held {
  readonly accessToken: string;
  readonly refreshAtMs: number;
  readonly endsAtMs: number;
}

/** A token is refreshed between these parts of its life, so that replicas started together do not ask together. */
const REFRESH_FROM = 0.6;
const REFRESH_UNTIL = 0.8;
/** Whoever is shown a token needs some time with it, and his clock may be a little ahead. */
const MARGIN_MS_MAX = 30_000;
const MARGIN_MAX = 0.1;
const RETRY_MS_MIN = 1_000;
const RETRY_MS_MAX = 60_000;

export function createTokenSource(deps: TokenSourceDeps): TokenSource {
  let held: Held | undefined;
  let flight: Promise<string> | undefined;
  let failureCount = 0;
  let retryAtMs = Number.NEGATIVE_INFINITY;

  async function fetchNext(): Promise<string> {
    const askedAtMs = deps.now();
    const { accessToken, lifetimeMs } = await deps.mint();
    const refreshAfter = REFRESH_FROM + (REFRESH_UNTIL - REFRESH_FROM) * deps.random();
    held = {
      accessToken,
      refreshAtMs: askedAtMs + lifetimeMs * refreshAfter,
      endsAtMs: askedAtMs + lifetimeMs - Math.min(MARGIN_MS_MAX, lifetimeMs * MARGIN_MAX),
    };
    if (deps.now() >= held.endsAtMs) throw new Error("the token had ended before it came");
    failureCount = 0;
    retryAtMs = Number.NEGATIVE_INFINITY;
    return accessToken;
  }

  /** Joins the attempt under way, or begins one. */
  function refresh(): Promise<string> {
    flight ??= fetchNext().finally(() => {
      flight = undefined;
    });
    return flight;
  }

  function refreshAside(): void {
    if (flight !== undefined || deps.now() < retryAtMs) return;
    refresh().catch((err) => {
      const ceilingMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** failureCount);
      failureCount += 1;
      retryAtMs = deps.now() + ceilingMs * (0.5 + deps.random() / 2);
      deps.onRefreshFailed(err);
    });
  }

  return {
    async token(signal) {
      signal?.throwIfAborted();
      const now = deps.now();
      if (held !== undefined && now < held.endsAtMs) {
        if (now >= held.refreshAtMs) refreshAside();
        return held.accessToken;
      }
      return waitFor(refresh(), signal);
    },
    invalidate(token) {
      if (held?.accessToken === token) held = undefined;
    },
  };
}

async function waitFor<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
