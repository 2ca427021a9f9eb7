import type { PageTokens } from "../auth/page-token.ts";
import type { AuditEvent, AuditEventFilter } from "../domain/audit-event.ts";
import type { CallContext } from "../domain/call-context.ts";
import type { AuditEvents } from "../storage/audit-events.ts";
import { type PageAsked, type PageShown, shownPage } from "./paging.ts";

export interface ListAuditEventsDeps {
  readonly pageTokens: PageTokens;
  readonly auditEvents: Pick<AuditEvents, "list">;
}

export interface ListAuditEvents extends PageAsked {
  readonly filter: AuditEventFilter;
}

/** The trail of the organization, by time. @throws FaultError invalid_argument. */
export function listAuditEvents(
  deps: ListAuditEventsDeps,
  ctx: CallContext,
  req: ListAuditEvents,
): Promise<PageShown<AuditEvent>> {
  const binding = ["audit-events", ctx.caller.organizationId, req.filter];
  return shownPage(deps.pageTokens, binding, req, (page) => deps.auditEvents.list(ctx, req.filter, page));
}
