import type { CallContext } from "../domain/call-context.ts";
import { type Ask, shareReads } from "../domain/shared-reads.ts";
import type { Database } from "./database.ts";

/** A call that was refused before the database was asked. */
export interface Refusal {
  readonly action: string;
  /** The fault in one word. */
  readonly outcome: string;
  readonly serviceAccountId: string | undefined;
  readonly credentialId: string | undefined;
}

/**
 * Writes a refusal into the trail of the caller's organization. Resolves once it is there.
 * @throws FaultError unavailable, lock_timeout, internal, or the fault of the context's signal.
 */
export type WriteRefusal = (ctx: CallContext, refusal: Refusal) => Promise<void>;

/** Takes some twenty milliseconds of the database. */
const REFUSALS_OF_STATEMENT_MAX = 200;
/** Of one organization; more than can be written while a refused caller waits. */
const REFUSALS_WAITING_MAX = 4_096;

/**
 * Refused calls of an organization that wait at the same moment are written in one statement, and one statement of it is
 * under way at a time: so a flood of them is written as fast as it comes, and holds up those of no other organization.
 * @param statementTimeoutMs with the wait for its connection: as long as a refused caller waits.
 */
export function openRefusalRecorder(db: Database, statementTimeoutMs: number): WriteRefusal {
  const writers = new Map<string, { readonly write: Ask<RefusalRow, undefined>; waiting: number }>();

  const openWriter = () => ({
    write: shareReads<RefusalRow, undefined>(
      async (rows) => {
        await db.run(
          AbortSignal.timeout(statementTimeoutMs),
          (sql) => sql`select keyturn.record_refusals(${sql.json(rows as never)})`,
          // However many organizations there are, they leave connections to those who were not refused.
          "refusals",
        );
        return [];
      },
      {
        readsMax: 1,
        questionsMax: REFUSALS_OF_STATEMENT_MAX,
        waitingMax: REFUSALS_WAITING_MAX,
        waitMsMax: statementTimeoutMs,
      },
    ),
    waiting: 0,
  });

  return async (ctx, refusal) => {
    const { organizationId } = ctx.caller;
    const writer = writers.get(organizationId) ?? openWriter();
    writers.set(organizationId, writer);
    writer.waiting += 1;
    try {
      await writer.write(toRow(ctx, refusal), ctx.signal);
    } finally {
      writer.waiting -= 1;
      if (writer.waiting === 0) writers.delete(organizationId);
    }
  };
}

/** As `functions/record_refusals.sql` reads it. */
interface RefusalRow {
  readonly caller: Readonly<Record<string, string | undefined>>;
  readonly action: string;
  readonly outcome: string;
  readonly service_account_id: string | undefined;
  readonly credential_id: string | undefined;
}

const toRow = ({ caller, clientAddress, requestId }: CallContext, refusal: Refusal): RefusalRow => ({
  caller: {
    organization_id: storable(caller.organizationId),
    issuer: storable(caller.issuer),
    subject: storable(caller.subject),
    client_address: clientAddress,
    request_id: requestId,
  },
  action: refusal.action,
  outcome: refusal.outcome,
  service_account_id: refusal.serviceAccountId,
  credential_id: refusal.credentialId,
});

/** PostgreSQL stores no U+0000 and no lone surrogate: one caller's strange name must not take the rows of others with it. */
const storable = (text: string) => text.replaceAll("\0", "\u{FFFD}").toWellFormed();
