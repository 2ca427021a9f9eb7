import { setTimeout as delay } from "node:timers/promises";
import type { Config } from "./config.ts";
import type { Log } from "./observability/log.ts";
import type { Metrics } from "./observability/metrics.ts";
import type { Database } from "./storage/database.ts";
import { openOutbox } from "./storage/outbox.ts";
import { type Delivery, startDelivery } from "./webhook/delivery.ts";
import { type EventUpkeep, startEventUpkeep } from "./webhook/event-upkeep.ts";
import { createSender } from "./webhook/sender.ts";

export interface EventDeliveryParts {
  readonly config: Pick<Config, "webhook" | "tokenIssuer">;
  readonly db: Database;
  /** Resolves once the database login is known to be fit. */
  readonly fit: Promise<void>;
  readonly log: Log;
  readonly metrics: Pick<Metrics, "eventAttempted" | "eventsGivenUp" | "watchEvents">;
}

export interface EventDelivery {
  /** Gives back what is under way, and ends. */
  stop(): Promise<void>;
}

const ATTEMPT_TIMEOUT_MS = 10_000;
/** The source of events where the installation has no name of its own. */
const SOURCE = "urn:keyturn";

/** Tells the webhook what happens, once there is a fit login; nothing at all without a webhook. */
export function startEventDelivery({ config, db, fit, log, metrics }: EventDeliveryParts): EventDelivery {
  const { webhook } = config;
  let isStopped = false;
  let parts: { readonly delivery: Delivery; readonly upkeep: EventUpkeep } | undefined;
  metrics.watchEvents(() => parts?.upkeep.backlog());
  if (webhook === undefined) return { stop: async () => {} };
  const outbox = openOutbox(db);
  const onError = (err: unknown) => log.defect({ part: "events" }, err);
  const send = createSender({
    ...webhook,
    fetch: globalThis.fetch,
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
      onAttempt(outcome) {
        metrics.eventAttempted(outcome);
        if (outcome !== "accepted") log.event("warn", "event not accepted by the webhook", { outcome });
      },
      onError,
    });
    parts = { delivery, upkeep };
  };
  fit.then(start, () => {});
  return {
    async stop() {
      isStopped = true;
      await Promise.all([parts?.delivery.stop(), parts?.upkeep.stop()]);
    },
  };
}
