/** A clock that moves only when it is told to, with the timers that hang on it. Each test has its own. */
export interface ManualClock {
  /** In ms since the epoch. */
  readonly now: () => number;
  readonly after: (delayMs: number, run: () => void) => () => void;
  /** Moves on, and runs what has become due, in order. */
  advance(byMs: number): void;
  /** Moves on to the timer that is due first, and runs it; does nothing when none is waiting. */
  advanceToTimer(): void;
  /** How many timers are waiting. */
  timerCount(): number;
}

export function manualClock(startMs = 1_900_000_000_000): ManualClock {
  let nowMs = startMs;
  let timers: Timer[] = [];
  const next = () => timers.toSorted((left, right) => left.dueAtMs - right.dueAtMs)[0];
  const forget = (timer: Timer) => {
    timers = timers.filter((other) => other !== timer);
  };
  const runTimer = (timer: Timer) => {
    nowMs = Math.max(nowMs, timer.dueAtMs);
    forget(timer);
    timer.run();
  };
  return {
    now: () => nowMs,
    after: (delayMs, run) => {
      const timer = { dueAtMs: nowMs + delayMs, run };
      timers.push(timer);
      return () => forget(timer);
    },
    advance: (byMs) => {
      const endMs = nowMs + byMs;
      for (let timer = next(); timer !== undefined && timer.dueAtMs <= endMs; timer = next()) runTimer(timer);
      nowMs = endMs;
    },
    advanceToTimer: () => {
      const timer = next();
      if (timer !== undefined) runTimer(timer);
    },
    timerCount: () => timers.length,
  };
}

interface Timer {
  readonly dueAtMs: number;
  readonly run: () => void;
}
