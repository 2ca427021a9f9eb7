import type { CallContext } from "../domain/call-context.ts";
import type { AuditEvents, Refusal } from "../storage/audit-events.ts";

export interface RecordRefusalDeps {
  readonly auditEvents: Pick<AuditEvents, "record">;
  /** Told when a refusal could not be written down. The call stays refused. */
  readonly onLost: (err: unknown) => void;
}

export type RecordRefusal = (ctx: CallContext, refusal: Refusal) => Promise<void>;

/** Writes a refusal into the trail. Never rejects: a database in trouble must not turn a no into something else. */
export const recordRefusal =
  (deps: RecordRefusalDeps): RecordRefusal =>
  async (ctx, refusal) => {
    try {
      await deps.auditEvents.record(ctx, refusal);
    } catch (err) {
      deps.onLost(err);
    }
  };
