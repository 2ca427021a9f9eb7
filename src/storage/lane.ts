import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";
import postgres from "postgres";
import { abortFault } from "../domain/fault.ts";
import { connectionIsLost, notOpenedFault, storageFault, wasCancelled } from "./failure.ts";
import { SESSION_SETTINGS } from "./session-settings.ts";
import { sessionTarget } from "./session-target.ts";
import { forgetOrigin } from "./statement-origin.ts";

export type Sql = postgres.Sql;
export type Statement<Row extends object> = (sql: Sql) => postgres.PendingQuery<Row[]>;

export interface LaneOptions {
  readonly url: string;
  /** Milliseconds that a connection may take from its first packet to its first answer. Default 5,000. */
  readonly connectTimeoutMs?: number;
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
  /** Milliseconds after a statement's caller was answered until its silent connection is given up. */
  readonly cancelGraceMs: number;
}

/** One connection, for one statement at a time. */
export interface Lane {
  /**
   * `answer` settles as soon as the signal aborts, whatever the server does. `free` never rejects, and resolves once the
   * lane can take its next statement.
   */
  run<Row extends object>(signal: AbortSignal, statement: Statement<Row>): Running<Row>;
  close(): Promise<void>;
}

interface Running<Row> {
  readonly answer: Promise<Row[]>;
  readonly free: Promise<void>;
}

/** The driver's client that owns the connection: when that is lost or silent, the client is thrown away with it. */
interface Client {
  readonly sql: Sql;
  state: "new" | "open" | "closed";
}

/** Opens at its first statement. A lane that lost its connection goes on with a fresh client (docs/adr/0007). */
export function createLane(options: LaneOptions): Lane {
  let client = createClient(options);

  function renew(): void {
    void client.sql.end({ timeout: 0 }).catch(() => {});
    client = createClient(options);
  }

  /**
   * A caller's statement never waits inside the driver for its connection: cancelled there, it would leave a connection
   * behind that no later statement gets; failed there, it could not be told from one that was sent.
   */
  async function openedSql(): Promise<Sql> {
    if (client.state === "closed") renew();
    const opening = client;
    if (opening.state === "new") {
      const asked = opening.sql<{ is_standby: boolean }[]>`select pg_is_in_recovery() as is_standby`;
      forgetOrigin(asked);
      const [row] = await within(options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS, asked);
      // However the address came to point at one: a standby still knows what has been deleted at the primary.
      if (row?.is_standby !== false) throw new Error("the database is a standby");
      opening.state = "open";
    }
    return opening.sql;
  }

  /**
   * Resolves to whether the connection can take another statement. After a cancel it can once the request cannot meet
   * that statement any more: it has hit this one, or its own connection has closed.
   */
  async function isReusable(
    query: unknown,
    ended: Promise<unknown>,
    aborted: Promise<true>,
  ): Promise<boolean> {
    const isAborted = await Promise.race([ended.then(() => false), aborted]);
    if (!isAborted || (await endsSoon(ended))) return !connectionIsLost(await ended);
    const requested = requestCancel(query);
    const calm = ended.then(async (err) => {
      if (!wasCancelled(err)) await requested;
      return !connectionIsLost(err);
    });
    return within(options.cancelGraceMs, calm).catch(() => false);
  }

  return {
    run<Row extends object>(signal: AbortSignal, statement: Statement<Row>): Running<Row> {
      const answer = Promise.withResolvers<Row[]>();
      const aborted = Promise.withResolvers<true>();
      const onAbort = () => {
        answer.reject(abortFault(signal));
        aborted.resolve(true);
      };
      const work = async () => {
        const sql = await openedSql().catch((err) => {
          renew();
          answer.reject(notOpenedFault(err));
        });
        if (sql === undefined || signal.aborted) return;
        const query = statement(sql);
        forgetOrigin(query);
        const ended = query.then(answer.resolve, (err: unknown) => {
          answer.reject(storageFault(err, signal));
          return err;
        });
        if (!(await isReusable(query, ended, aborted.promise))) renew();
      };
      signal.addEventListener("abort", onAbort, { once: true });
      const free = work()
        .catch(answer.reject)
        .finally(() => signal.removeEventListener("abort", onAbort));
      return { answer: answer.promise, free };
    },
    close: () => client.sql.end({ timeout: 0 }),
  };
}

const CONNECT_TIMEOUT_MS = 5_000;
/** Most statements have ended by then, and to cancel one costs the server a process and us a connection. */
const CANCEL_DELAY_MS = 20;

/** Whether a statement whose caller has gone ends without being cancelled: else a flood of such callers is one of cancellations. */
async function endsSoon(ended: Promise<unknown>): Promise<boolean> {
  const late = new AbortController();
  // Where everything is late, so is the answer that has already come: the loop looks at the wire once more.
  const timer = delay(CANCEL_DELAY_MS, false, { signal: late.signal }).then((isEnded) => nextTurn(isEnded));
  try {
    return await Promise.race([ended.then(() => true), timer]);
  } finally {
    late.abort();
  }
}

/**
 * Asks the server to cancel; resolves when the request's own connection has closed, so not before the server has acted.
 * `query.cancel()` drops the promise of the request, so that a database which cannot be reached would end the process by
 * an unhandled rejection; the function below it returns that promise.
 */
async function requestCancel(query: unknown): Promise<void> {
  const { canceller } = query as { canceller?: ((query: unknown) => Promise<void>) | null };
  await canceller?.(query).catch(() => {});
}

/** Rejects when the work takes longer. */
async function within<T>(timeoutMs: number, work: PromiseLike<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error("took too long")), timeoutMs);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** The driver knows arrays only after a round trip of its own at each connection, so that ours tell it of the one kind we send. */
export const TEXT_ARRAY = {
  to: 1009,
  from: [1009],
  serialize: (items: readonly string[]) =>
    `{${items.map((item) => `"${item.replace(/["\\]/g, "\\$&")}"`).join(",")}}`,
  parse: (text: string) => text,
};

function createClient(options: LaneOptions): Client {
  const client: Client = {
    state: "new",
    sql: postgres(options.url, {
      ...sessionTarget(options.url),
      max: 1,
      prepare: true,
      fetch_types: false,
      types: { textArray: TEXT_ARRAY },
      connect_timeout: (options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS) / 1000,
      max_lifetime: null,
      backoff: () => 0,
      onnotice: () => {},
      onclose: () => {
        client.state = "closed";
      },
      connection: {
        ...SESSION_SETTINGS,
        statement_timeout: options.statementTimeoutMs,
        lock_timeout: options.lockTimeoutMs,
      },
    }),
  };
  return client;
}
