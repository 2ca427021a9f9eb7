import type { OutboxEvent } from "../domain/event.ts";
import type { Outbox } from "../storage/outbox.ts";
import { createReceiverPause, eventDelayMs } from "./back-off.ts";
import type { Attempt, Send } from "./sender.ts";

export interface DeliveryDeps {
  readonly outbox: Pick<Outbox, "claim" | "claimProbe" | "accept" | "postpone">;
  readonly send: Send;
  /** Jitter, 0 ≤ x < 1: `Math.random`. */
  readonly random: () => number;
  /** A clock in milliseconds that is never set. */
  readonly now: () => number;
  /** Resolves after the time, or as soon as the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Told what became of each attempt. */
  readonly onAttempt: (event: OutboxEvent, attempt: Attempt) => void;
  readonly onError: (err: unknown) => void;
}

export interface Delivery {
  /** Takes no more events, and gives back those that are under way. */
  stop(): Promise<void>;
}

/** Queues that one server sends from at a time. */
const QUEUES_MAX = 16;
/** Of one queue in a row, before others have their turn. */
const EVENTS_IN_A_ROW_MAX = 50;
/** Longer than an attempt and the statement after it: nobody sends the same event meanwhile. */
const HOLD_MS = 60_000;
const IDLE_MS = 1_000;

/**
 * Sends events to the webhook, of many queues at a time, of each one after the other. At least once: an acceptance that
 * could not be written down is sent again (docs/adr/0017).
 */
export function startDelivery(deps: DeliveryDeps): Delivery {
  const { outbox, now } = deps;
  const stopping = new AbortController();
  const receiver = createReceiverPause(now, deps.random);
  const queues = new Set<Promise<void>>();
  let wake = new AbortController();

  async function send(event: OutboxEvent): Promise<Attempt> {
    const sentAt = now();
    const attempt = await deps.send(event, stopping.signal);
    const { outcome, retryAfterMs } = attempt;
    if (outcome === "accepted" || outcome === "refused") receiver.answered();
    else if (!stopping.signal.aborted) receiver.failed(sentAt, retryAfterMs);
    if (outcome === "accepted" || !stopping.signal.aborted) deps.onAttempt(event, attempt);
    return attempt;
  }

  async function follow(first: OutboxEvent): Promise<void> {
    let event: OutboxEvent | undefined = first;
    for (let sent = 1; event !== undefined; sent += 1) {
      const { outcome, retryAfterMs = 0 } = await send(event);
      if (outcome !== "accepted") {
        const delayMs = Math.max(eventDelayMs(event.attempts, deps.random), retryAfterMs);
        return outbox.postpone(event, stopping.signal.aborted ? 0 : delayMs);
      }
      const isLast = sent >= EVENTS_IN_A_ROW_MAX || stopping.signal.aborted;
      event = await outbox.accept(event, isLast ? undefined : HOLD_MS);
    }
  }

  /** As many as there is room for; of a receiver that has failed one at a time. */
  function roomNow(): number {
    if (receiver.remainingMs() > 0) return 0;
    return receiver.isProbing() ? Math.max(0, 1 - queues.size) : QUEUES_MAX - queues.size;
  }

  async function probe(): Promise<readonly OutboxEvent[]> {
    const event = await outbox.claimProbe(HOLD_MS);
    return event === undefined ? [] : [event];
  }

  async function claim(room: number): Promise<number> {
    try {
      const events = receiver.isProbing() ? await probe() : await outbox.claim(room, HOLD_MS);
      for (const event of events) {
        const queue: Promise<void> = follow(event)
          .catch(deps.onError)
          .finally(() => {
            queues.delete(queue);
            wake.abort();
          });
        queues.add(queue);
      }
      return events.length;
    } catch (err) {
      deps.onError(err);
      return 0;
    }
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      wake = new AbortController();
      const room = roomNow();
      const taken = room > 0 ? await claim(room) : 0;
      if (room > 0 && taken === room) continue;
      const idleMs = Math.max(IDLE_MS * (0.5 + deps.random()), receiver.remainingMs());
      await deps.sleep(idleMs, AbortSignal.any([stopping.signal, wake.signal]));
    }
    await Promise.all(queues);
  }

  const running = run();
  return {
    stop() {
      stopping.abort();
      return running;
    },
  };
}
