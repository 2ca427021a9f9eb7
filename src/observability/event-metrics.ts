import { Counter, Gauge, type Registry } from "prom-client";
import type { Backlog } from "../storage/outbox.ts";

export interface EventMetrics {
  /** What became of an attempt to send an event, in one word. */
  eventAttempted(outcome: string): void;
  /** Events that nobody has accepted for too long. */
  eventsGivenUp(events: number): void;
  /** Reads the backlog at each scrape. */
  watchEvents(backlog: () => Backlog | undefined): void;
}

/** Those of a server without a webhook stay at 0. */
export function createEventMetrics(registry: Registry): EventMetrics {
  const registers = [registry];
  const attempts = new Counter({
    name: "keyturn_event_attempts_total",
    help: "Attempts to send an event to the webhook, by what became of them.",
    labelNames: ["outcome"],
    registers,
  });
  // As the other counters: absent, it would hide its first time.
  for (const outcome of ["accepted", "unreachable"]) attempts.inc({ outcome }, 0);
  const givenUp = new Counter({
    name: "keyturn_events_given_up_total",
    help: "Events that were dropped because nobody had accepted them for two weeks.",
    registers,
  });
  return {
    eventAttempted: (outcome) => attempts.inc({ outcome }),
    eventsGivenUp: (events) => givenUp.inc(events),
    watchEvents(backlog) {
      const gauge = (name: string, help: string, read: (known: Backlog) => number) =>
        new Gauge({
          name,
          help,
          registers,
          // Every process counts the same backlog.
          aggregator: "max",
          collect() {
            const known = backlog();
            if (known === undefined) this.reset();
            else this.set(read(known));
          },
        });
      gauge(
        "keyturn_events_pending",
        "Events that wait to be accepted, of all organizations.",
        ({ count }) => count,
      );
      gauge(
        "keyturn_events_oldest_age_seconds",
        "Age of the oldest event that waits to be accepted.",
        ({ oldestAgeSeconds }) => oldestAgeSeconds,
      );
    },
  };
}
