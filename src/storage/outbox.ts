import type { OutboxEvent } from "../domain/event.ts";
import type { Database } from "./database.ts";
import { withTimeLimit } from "./time-limit.ts";

/** How much waits to be told, of all organizations. */
export interface Backlog {
  /** Exact up to 100,000; more are counted as 100,001. */
  readonly count: number;
  /** Age of the oldest, 0 when there is none. */
  readonly oldestAgeSeconds: number;
}

/** The events that are still to be told. Each call is one statement (docs/adr/0017). */
export interface Outbox {
  /** Up to so many events that are due, each the first of its queue: nobody else gets one for as long as it is held. */
  claim(eventsMax: number, holdMs: number): Promise<OutboxEvent[]>;
  /** The one of them to try a receiver with that has failed: it was sent least often. */
  claimProbe(holdMs: number): Promise<OutboxEvent | undefined>;
  /** An event was accepted. Gives the next of its queue, held; without a hold the next is left to everybody. */
  accept(event: OutboxEvent, holdMs: number | undefined): Promise<OutboxEvent | undefined>;
  /** An event was not accepted, and is due again after the delay. */
  postpone(event: OutboxEvent, delayMs: number): Promise<void>;
  /** Says that events are to be written, for so long from now on. */
  want(forSeconds: number): Promise<void>;
  /** Write events of what nobody does: credentials that expire soon, secrets that are refused. Gives how many were looked at. */
  tellExpiring(rowsMax: number): Promise<number>;
  tellRefusedUses(rowsMax: number): Promise<number>;
  /** Takes away what nobody has accepted for so long. Gives how many. */
  giveUp(ageSeconds: number, rowsMax: number): Promise<number>;
  backlog(): Promise<Backlog>;
}

const STATEMENT_TIMEOUT_MS = 5_000;
const COUNT_MAX = 100_001;

export function openOutbox(db: Pick<Database, "run">): Outbox {
  // In a group of their own, so that they never take all connections from those who call.
  const run = <Row extends object>(statement: Parameters<Database["run"]>[1]) =>
    withTimeLimit(STATEMENT_TIMEOUT_MS, (signal) => db.run(signal, statement, "events")) as Promise<Row[]>;
  const counted = async (statement: Parameters<Database["run"]>[1]) => {
    const [row] = await run<{ count: number }>(statement);
    return row?.count ?? 0;
  };
  return {
    async claim(eventsMax, holdMs) {
      const rows = await run<EventRow>(
        (sql) => sql`select * from keyturn.claim_events(${eventsMax}, ${milliseconds(holdMs)})`,
      );
      return rows.map(toEvent);
    },
    async claimProbe(holdMs) {
      const [row] = await run<EventRow>(
        (sql) => sql`select * from keyturn.claim_probe(${milliseconds(holdMs)})`,
      );
      return row && toEvent(row);
    },
    async accept({ organizationId, serviceAccountUid, sequence }, holdMs) {
      const hold = holdMs === undefined ? null : milliseconds(holdMs);
      const [row] = await run<EventRow>(
        (sql) => sql`
          select * from keyturn.accept_event(${organizationId}, ${serviceAccountUid}, ${String(sequence)}, ${hold})`,
      );
      return row === undefined || holdMs === undefined ? undefined : toEvent(row);
    },
    async postpone({ organizationId, serviceAccountUid, sequence, attempts }, delayMs) {
      await run(
        (sql) => sql`
          select keyturn.postpone_event(${organizationId}, ${serviceAccountUid}, ${String(sequence)}, ${attempts},
                                        ${milliseconds(delayMs)})`,
      );
    },
    async want(forSeconds) {
      await run((sql) => sql`select keyturn.want_events(${milliseconds(forSeconds * 1000)})`);
    },
    tellExpiring: (rowsMax) =>
      counted((sql) => sql`select keyturn.tell_expiring_credentials(${rowsMax}) as count`),
    tellRefusedUses: (rowsMax) =>
      counted((sql) => sql`select keyturn.tell_refused_uses(${rowsMax}) as count`),
    giveUp: (ageSeconds, rowsMax) =>
      counted(
        (sql) => sql`select keyturn.give_up_events(${milliseconds(ageSeconds * 1000)}, ${rowsMax}) as count`,
      ),
    async backlog() {
      // The oldest event of all is the first of its queue.
      const [row] = await run<{ count: number; age: number }>(
        (sql) => sql`
          select (select count(*)::integer from (select from keyturn.events limit ${COUNT_MAX}) one) as count,
                 coalesce(extract(epoch from statement_timestamp() - min(e.occurred_at)), 0)::float8 as age
            from keyturn.events e where e.due_at is not null`,
      );
      return { count: row?.count ?? 0, oldestAgeSeconds: Math.max(0, row?.age ?? 0) };
    },
  };
}

interface EventRow {
  readonly id: string;
  readonly organization_id: string;
  readonly service_account_uid: string;
  readonly sequence: string;
  readonly type: string;
  readonly occurred_at: Date;
  readonly service_account_id: string | null;
  readonly credential_id: string | null;
  readonly data: Readonly<Record<string, unknown>>;
  readonly attempts: number;
}

const milliseconds = (ms: number) => `${Math.round(ms)} milliseconds`;

const toEvent = (row: EventRow): OutboxEvent => ({
  id: row.id,
  organizationId: row.organization_id,
  serviceAccountUid: row.service_account_uid,
  sequence: BigInt(row.sequence),
  type: row.type,
  occurredAt: row.occurred_at,
  serviceAccountId: row.service_account_id ?? undefined,
  credentialId: row.credential_id ?? undefined,
  data: row.data,
  attempts: row.attempts,
});
