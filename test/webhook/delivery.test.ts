/** How events are sent, on a clock of the test's own, so that hours pass in no time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as tick } from "node:timers/promises";
import type { OutboxEvent } from "../../src/domain/event.ts";
import { startDelivery } from "../../src/webhook/delivery.ts";
import type { Attempt, Send } from "../../src/webhook/sender.ts";
import { givenEvent } from "./given-event.ts";

interface Queued {
  event: OutboxEvent;
  dueAt: number;
}

/** An outbox in memory, and a clock that jumps to whenever something is to happen next. */
function givenWorld(
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
  const waiting = new Map<string, Queued[]>(
    Object.entries(queues).map(([account, count]) => [
      account,
      Array.from({ length: count }, (_, n) => ({
        event: givenEvent({ serviceAccountUid: account, sequence: BigInt(n), attempts: 0 }),
        dueAt: 0,
      })),
    ]),
  );
  const takeOver = (queued: Queued, holdMs: number): OutboxEvent => {
    queued.event = { ...queued.event, attempts: queued.event.attempts + 1 };
    queued.dueAt = clock.nowMs + holdMs;
    return queued.event;
  };
  let claims = 0;
  const outbox = {
    async claim(eventsMax: number, holdMs: number) {
      claims += 1;
      const due = [...waiting.values()].flatMap(([first]) =>
        first && first.dueAt <= clock.nowMs ? [first] : [],
      );
      return due.slice(0, eventsMax).map((queued) => takeOver(queued, holdMs));
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

const HOUR_MS = 3_600_000;
const queuesOf = (count: number, events: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`account-${n}`, events]));

test("a receiver that is down for an hour is asked about once a minute, and has everything minutes after it is back", async () => {
  const world = givenWorld(queuesOf(200, 5), (_, nowMs) => (nowMs < HOUR_MS ? "unreachable" : "accepted"));
  await world.passUntil(HOUR_MS - 1);
  const attempts = world.sent.length;
  assert.ok(attempts > 30 && attempts < 150, `${attempts} attempts in an hour`);
  assert.ok(world.claims() < 10_000, `${world.claims()} looks into the outbox`);
  assert.equal(world.left(), 1_000);
  await world.passUntil(HOUR_MS + 10 * 60_000);
  assert.equal(world.left(), 0);
  const accepted = world.sent.filter(({ outcome }) => outcome === "accepted");
  assert.equal(accepted.length, 1_000);
  await world.stop();
});

test("events of an account are sent in their order, each after the one before it was accepted", async () => {
  let calls = 0;
  const world = givenWorld(queuesOf(20, 30), () => (++calls % 3 === 0 ? "server_error" : "accepted"));
  await world.passUntil(24 * HOUR_MS);
  assert.equal(world.left(), 0);
  for (const account of Object.keys(queuesOf(20, 0))) {
    const order = world.sent.filter((one) => one.account === account && one.outcome === "accepted");
    assert.deepEqual(
      order.map(({ n }) => n),
      Array.from({ length: 30 }, (_, n) => n),
    );
  }
  await world.stop();
});

test("one that is never accepted holds up its own account, and no other", async () => {
  const world = givenWorld({ stuck: 3, ...queuesOf(40, 10) }, ({ serviceAccountUid }) =>
    serviceAccountUid === "stuck" ? "client_error" : "accepted",
  );
  await world.passUntil(HOUR_MS);
  assert.equal(world.left(), 3);
  const stuck = world.sent.filter(({ account }) => account === "stuck");
  assert.ok(stuck.every(({ n }) => n === 0));
  assert.ok(stuck.length > 10 && stuck.length < 40, `${stuck.length} attempts in an hour`);
  await world.stop();
});

test("a server with nothing to send looks about once a second", async () => {
  const world = givenWorld({}, () => "accepted");
  await world.passUntil(60_000);
  assert.ok(world.claims() >= 40 && world.claims() <= 130, `${world.claims()}`);
  await world.stop();
});
