import type { CallContext } from "../domain/call-context.ts";
import { shareReads } from "../domain/shared-reads.ts";
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
/** More than can be written while a refused caller waits. */
const REFUSALS_WAITING_MAX = 4_096;

/**
 * Refused calls that wait at the same moment are written in one statement, and one statement is under way at a time: so
 * a flood of them takes one connection, and is written as fast as it comes.
 * @param statementTimeoutMs with the wait for its connection: as long as a refused caller waits.
 */
export function openRefusalRecorder(db: Database, statementTimeoutMs: number): WriteRefusal {
  const write = shareReads<RefusalRow, undefined>(
    async (rows) => {
      await db.run(
        AbortSignal.timeout(statementTimeoutMs),
        (sql) => sql`select keyturn.record_refusals(${sql.json(rows as never)})`,
      );
      return [];
    },
    {
      readsMax: 1,
      questionsMax: REFUSALS_OF_STATEMENT_MAX,
      waitingMax: REFUSALS_WAITING_MAX,
      waitMsMax: statementTimeoutMs,
    },
  );
  return (ctx, refusal) => write(toRow(ctx, refusal), ctx.signal);
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
