/** A clock of the test's own, an outbox in memory and a receiver, so that hours of sending pass in no time. */
import assert from "node:assert/strict";
import { setImmediate as tick } from "node:timers/promises";
import type { OutboxEvent } from "../../src/domain/event.ts";
import { startDelivery } from "../../src/webhook/delivery.ts";
import type { Attempt, Send } from "../../src/webhook/sender.ts";
import { givenEvent } from "./given-event.ts";

interface Queued {
  event: OutboxEvent;
  dueAt: number;
}

/**
 * The clock jumps to whenever something is to happen next.
 * @param queues how many events each account has.
 */
export function givenWorld(
  queues: Readonly<Record<string, number>>,
  answer: (event: OutboxEvent, nowMs: number) => Attempt["outcome"],
) {
  const clock = { nowMs: 0 };
  const sent: {
    readonly account: string;
    readonly n: number;
    readonly atMs: number;
    readonly outcome: string;
  }[] = [];
  const waiting = new Map<string, Queued[]>();
  const arrive = (arriving: Readonly<Record<string, number>>) => {
    for (const [account, count] of Object.entries(arriving)) {
      const queue = Array.from({ length: count }, (_, n) => ({
        event: givenEvent({ serviceAccountUid: account, sequence: BigInt(n), attempts: 0 }),
        dueAt: clock.nowMs,
      }));
      waiting.set(account, queue);
    }
  };
  arrive(queues);
  const takeOver = (queued: Queued, holdMs: number): OutboxEvent => {
    queued.event = { ...queued.event, attempts: queued.event.attempts + 1 };
    queued.dueAt = clock.nowMs + holdMs;
    return queued.event;
  };
  const due = () =>
    [...waiting.values()].flatMap(([first]) => (first && first.dueAt <= clock.nowMs ? [first] : []));
  let claims = 0;
  const outbox = {
    async claim(eventsMax: number, holdMs: number) {
      claims += 1;
      return due()
        .toSorted((a, b) => a.dueAt - b.dueAt)
        .slice(0, eventsMax)
        .map((queued) => takeOver(queued, holdMs));
    },
    async claimProbe(holdMs: number) {
      claims += 1;
      const [probe] = due().toSorted((a, b) => a.event.attempts - b.event.attempts || b.dueAt - a.dueAt);
      return probe && takeOver(probe, holdMs);
    },
    async accept({ serviceAccountUid }: OutboxEvent, holdMs: number | undefined) {
      const queue = waiting.get(serviceAccountUid) ?? [];
      queue.shift();
      const [next] = queue;
      return next === undefined || holdMs === undefined ? undefined : takeOver(next, holdMs);
    },
    async postpone({ serviceAccountUid }: OutboxEvent, delayMs: number) {
      const [first] = waiting.get(serviceAccountUid) ?? [];
      if (first) first.dueAt = clock.nowMs + delayMs;
    },
  };
  const sleepers = new Set<{ atMs: number; done: () => void }>();
  const send: Send = async (event) => {
    const outcome = answer(event, clock.nowMs);
    sent.push({ account: event.serviceAccountUid, n: Number(event.sequence), atMs: clock.nowMs, outcome });
    return { outcome, retryAfterMs: undefined };
  };
  const delivery = startDelivery({
    outbox,
    send,
    random: () => 0.5,
    now: () => clock.nowMs,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        const sleeper = {
          atMs: clock.nowMs + ms,
          done() {
            sleepers.delete(sleeper);
            resolve();
          },
        };
        sleepers.add(sleeper);
        if (signal.aborted) sleeper.done();
        else signal.addEventListener("abort", sleeper.done, { once: true });
      }),
    onAttempt: () => {},
    onError: (err) => assert.fail(String(err)),
  });
  return {
    sent,
    /** More accounts have something to tell. */
    arrive,
    claims: () => claims,
    left: () => [...waiting.values()].reduce((count, queue) => count + queue.length, 0),
    stop: delivery.stop,
    /** Lets everything happen that happens until then. */
    async passUntil(untilMs: number) {
      for (;;) {
        for (let n = 0; n < 20; n += 1) await tick();
        const [next] = [...sleepers].toSorted((a, b) => a.atMs - b.atMs);
        if (next === undefined || next.atMs > untilMs) break;
        clock.nowMs = Math.max(clock.nowMs, next.atMs);
        next.done();
      }
      clock.nowMs = untilMs;
    },
  };
}
