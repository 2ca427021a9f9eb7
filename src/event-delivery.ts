import { setTimeout as delay } from "node:timers/promises";
import type { Config } from "./config.ts";
import type { OutboxEvent } from "./domain/event.ts";
import type { Log } from "./observability/log.ts";
import type { Metrics } from "./observability/metrics.ts";
import type { Tracing } from "./observability/tracing.ts";
import type { Database } from "./storage/database.ts";
import { openOutbox } from "./storage/outbox.ts";
import { type Delivery, startDelivery } from "./webhook/delivery.ts";
import { type EventUpkeep, startEventUpkeep } from "./webhook/event-upkeep.ts";
import { type Attempt, createSender } from "./webhook/sender.ts";

export interface EventDeliveryParts {
  readonly config: Pick<Config, "webhook" | "tokenIssuer">;
  readonly db: Database;
  /** Resolves once the database login is known to be fit. */
  readonly fit: Promise<void>;
  readonly log: Log;
  readonly metrics: Pick<Metrics, "eventAttempted" | "eventsGivenUp" | "watchEvents">;
  /** Absent where no traces are kept. */
  readonly tracing?: Tracing | undefined;
}

export interface EventDelivery {
  /** Gives back what is under way, and ends. */
  stop(): Promise<void>;
}

const ATTEMPT_TIMEOUT_MS = 10_000;
/** The source of events where the installation has no name of its own. */
const SOURCE = "urn:keyturn";

/** Which event it was and what the receiver did, by ids and codes: never the URL, which may hold a secret. */
const refusalFields = (event: OutboxEvent, { outcome, httpStatus, problem }: Attempt) => ({
  outcome,
  http_status: httpStatus,
  problem,
  event_id: event.id,
  organization_id: event.organizationId,
  service_account_id: event.serviceAccountId,
  attempts: event.attempts,
});

/** Tells the webhook what happens, once there is a fit login; nothing at all without a webhook. */
export function startEventDelivery(parts: EventDeliveryParts): EventDelivery {
  const { config, db, fit, log, metrics, tracing } = parts;
  const { webhook } = config;
  let isStopped = false;
  let started: { readonly delivery: Delivery; readonly upkeep: EventUpkeep } | undefined;
  metrics.watchEvents(() => started?.upkeep.backlog());
  if (webhook === undefined) return { stop: async () => {} };
  const outbox = openOutbox(db);
  const onError = (err: unknown) => log.failed({ part: "events" }, err);
  const send = createSender({
    ...webhook,
    fetch: tracing === undefined ? globalThis.fetch : tracing.traced(globalThis.fetch),
    source: config.tokenIssuer ?? SOURCE,
    timeoutMs: ATTEMPT_TIMEOUT_MS,
    now: () => new Date(),
  });
  const start = () => {
    if (isStopped) return;
    const upkeep = startEventUpkeep({
      outbox,
      random: Math.random,
      onError,
      onGivenUp(events) {
        metrics.eventsGivenUp(events);
        log.event("error", "events that nobody accepted were given up", { events });
      },
    });
    const delivery = startDelivery({
      outbox,
      send,
      random: Math.random,
      now: () => performance.now(),
      sleep: (ms, signal) => delay(ms, undefined, { signal, ref: false }).catch(() => {}),
      onAttempt(event, attempt) {
        metrics.eventAttempted(attempt.outcome);
        if (attempt.outcome !== "accepted")
          log.event("warn", "event not accepted by the webhook", refusalFields(event, attempt));
      },
      onError,
    });
    started = { delivery, upkeep };
  };
  fit.then(start, () => {});
  return {
    async stop() {
      isStopped = true;
      await Promise.all([started?.delivery.stop(), started?.upkeep.stop()]);
    },
  };
}
