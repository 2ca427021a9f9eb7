import type { AuditEvent } from "../../domain/audit-event.ts";
import { type ListAuditEventsDeps, listAuditEvents } from "../../service/list-audit-events.ts";
import { contextOf } from "../call.ts";
import { toInstant, toTimestamp } from "../instant.ts";
import type { Handlers } from "../kernel.ts";
import { pageAsked, pageFields } from "./page-fields.ts";

/** From wire to verb and back. No rule and no query. */
export const auditServiceHandlers = (deps: ListAuditEventsDeps): Handlers<"AuditService"> => ({
  listAuditEvents: async (req, call) => {
    const page = await listAuditEvents(deps, contextOf(call), {
      ...pageAsked(req),
      filter: {
        serviceAccountId: req.serviceAccountId || undefined,
        since: toInstant(req.since, "since"),
        until: toInstant(req.until, "until"),
        latestFirst: req.orderBy === "occurred_at desc",
      },
    });
    return { auditEvents: page.items.map(toMessage), ...pageFields(page) };
  },
});

function toMessage(event: AuditEvent) {
  const { serviceAccountId, serviceAccountUid, credentialId, clientAddress } = event;
  return {
    occurredAt: toTimestamp(event.occurredAt),
    action: event.action,
    outcome: event.outcome,
    ...(serviceAccountId === undefined ? {} : { serviceAccountId }),
    ...(serviceAccountUid === undefined ? {} : { serviceAccountUid }),
    ...(credentialId === undefined ? {} : { credentialId }),
    actorIssuer: event.actorIssuer,
    actorSubject: event.actorSubject,
    ...(clientAddress === undefined ? {} : { clientAddress }),
    requestId: event.requestId,
    details: { ...event.details },
    sequence: event.sequence,
  };
}
