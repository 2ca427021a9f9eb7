import type { Backlog, Outbox } from "../storage/outbox.ts";

export interface EventUpkeepDeps {
  readonly outbox: Pick<Outbox, "want" | "tellExpiring" | "tellRefusedUses" | "giveUp" | "backlog">;
  /** Jitter, 0 ≤ x < 1, so that replicas do not ask in step: `Math.random`. */
  readonly random: () => number;
  /** Told of events that nobody has accepted for too long. */
  readonly onGivenUp: (events: number) => void;
  readonly onError: (err: unknown) => void;
}

export interface EventUpkeep {
  /** As last counted; nothing before that. */
  backlog(): Backlog | undefined;
  stop(): Promise<void>;
}

const INTERVAL_MS = 15_000;
const ROWS_MAX = 200;
const DAY_SECONDS = 86_400;

/** For so long events are written after the last server with a webhook was seen, and kept when nobody accepts them. */
export const EVENT_AGE_SECONDS_MAX = 14 * DAY_SECONDS;

/**
 * What a server with a webhook does beside sending, about four times a minute: it says that events are wanted, has those
 * written that come about by time, gives up the oldest, and counts.
 */
export function startEventUpkeep({ outbox, random, onGivenUp, onError }: EventUpkeepDeps): EventUpkeep {
  let backlog: Backlog | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;

  async function keep(): Promise<void> {
    await outbox.want(EVENT_AGE_SECONDS_MAX);
    await whileFull(() => outbox.tellExpiring(ROWS_MAX));
    await whileFull(() => outbox.tellRefusedUses(ROWS_MAX));
    await whileFull(async () => {
      const events = await outbox.giveUp(EVENT_AGE_SECONDS_MAX, ROWS_MAX);
      if (events > 0) onGivenUp(events);
      return events;
    });
    backlog = await outbox.backlog();
  }

  /** Until there is no more of it, one statement after the other. */
  async function whileFull(round: () => Promise<number>): Promise<void> {
    while (!isStopped && (await round()) >= ROWS_MAX);
  }

  async function keepOn(): Promise<void> {
    await keep().catch(onError);
    if (isStopped) return;
    timer = setTimeout(
      () => {
        running = keepOn();
      },
      INTERVAL_MS * (0.5 + random()),
    ).unref();
  }

  let running = keepOn();
  return {
    backlog: () => backlog,
    stop() {
      isStopped = true;
      clearTimeout(timer);
      return running;
    },
  };
}
