import postgres from "postgres";
import { abortFault, type FaultError, unavailable } from "../domain/fault.ts";
import { connectionIsLost, storageFault } from "./failure.ts";

export type Sql = postgres.Sql;

export interface DatabaseOptions {
  readonly url: string;
  /** Connections, and so statements at a time. */
  readonly connectionsMax: number;
  /** Callers that may wait for a connection; one more is shed. */
  readonly queueMax: number;
  /** Milliseconds that a caller waits for a connection before it is shed. */
  readonly queueWaitMsMax: number;
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
  /** Milliseconds after a cancelled statement's caller was answered until its silent connection is given up. */
  readonly cancelGraceMs: number;
  /** Told how long each statement waited for its connection, in milliseconds. */
  readonly onWait?: (waitedMs: number) => void;
}

export interface Database {
  /**
   * Runs one statement. The caller is answered as soon as `signal` aborts, whatever the server does; the statement is
   * then cancelled.
   * @throws FaultError unavailable (queue full, waited too long, database out of reach), lock_timeout,
   *   deadline_exceeded, cancelled, internal.
   */
  run<Row extends object>(
    signal: AbortSignal,
    statement: (sql: Sql) => postgres.PendingQuery<Row[]>,
  ): Promise<Row[]>;
  stats(): {
    readonly connections: number;
    readonly inUse: number;
    readonly queued: number;
    readonly shed: number;
  };
  /** Lets statements in flight finish for `timeoutMs`, then closes every connection. */
  close(timeoutMs: number): Promise<void>;
}

/** One connection and the driver's client that owns it: a client that misbehaves is thrown away with it. */
interface Lane {
  sql: Sql;
}

interface Waiter {
  readonly give: (lane: Lane) => void;
  readonly refuse: (err: FaultError) => void;
}

/**
 * A pool over clients of one connection each. The driver's own pool has no bound on waiting, no read time-out and no way
 * to give up one connection (docs/adr/0007); here waiting is bounded, a statement ends with its caller, and a connection
 * that is lost or silent is replaced by a fresh client, never revived.
 */
export function openDatabase(options: DatabaseOptions): Database {
  const lanes: readonly Lane[] = Array.from({ length: options.connectionsMax }, () => ({
    sql: connect(options),
  }));
  const idle = [...lanes];
  const waiters = new Set<Waiter>();
  let inUse = 0;
  let shed = 0;
  let closing = false;

  function refuse(): FaultError {
    shed += 1;
    return unavailable("database_queue", options.queueWaitMsMax);
  }

  function acquire(signal: AbortSignal): Promise<Lane> | Lane {
    const lane = idle.pop();
    if (lane !== undefined) {
      inUse += 1;
      options.onWait?.(0);
      return lane;
    }
    if (waiters.size >= options.queueMax) throw refuse();
    return waitForLane(signal);
  }

  function waitForLane(signal: AbortSignal): Promise<Lane> {
    const since = performance.now();
    return new Promise((resolve, reject) => {
      const leave = () => {
        waiters.delete(waiter);
        clearTimeout(timer);
        signal.removeEventListener("abort", onAbort);
      };
      const waiter: Waiter = {
        give: (lane) => {
          leave();
          options.onWait?.(performance.now() - since);
          resolve(lane);
        },
        refuse: (err) => {
          leave();
          reject(err);
        },
      };
      const onAbort = () => waiter.refuse(abortFault(signal));
      const timer = setTimeout(() => waiter.refuse(refuse()), options.queueWaitMsMax);
      signal.addEventListener("abort", onAbort, { once: true });
      waiters.add(waiter);
    });
  }

  function release(lane: Lane): void {
    const [next] = waiters;
    if (next === undefined) {
      inUse -= 1;
      idle.push(lane);
    } else {
      next.give(lane);
    }
  }

  function replace(lane: Lane): void {
    void lane.sql.end({ timeout: 0 }).catch(() => {});
    lane.sql = connect(options);
  }

  return {
    async run(signal, statement) {
      if (closing) throw unavailable("draining", 0);
      if (signal.aborted) throw abortFault(signal);
      const lane = await acquire(signal);
      if (signal.aborted) {
        release(lane);
        throw abortFault(signal);
      }
      return execute(lane, signal, statement, options.cancelGraceMs, replace, release);
    },
    stats: () => ({ connections: options.connectionsMax, inUse, queued: waiters.size, shed }),
    async close(timeoutMs) {
      closing = true;
      for (const waiter of waiters) waiter.refuse(unavailable("draining", 0));
      const giveUpAt = performance.now() + timeoutMs;
      while (inUse > 0 && performance.now() < giveUpAt)
        await new Promise((resolve) => setTimeout(resolve, 5));
      await Promise.all(lanes.map((lane) => lane.sql.end({ timeout: 0 })));
    },
  };
}

function execute<Row extends object>(
  lane: Lane,
  signal: AbortSignal,
  statement: (sql: Sql) => postgres.PendingQuery<Row[]>,
  graceMs: number,
  replace: (lane: Lane) => void,
  release: (lane: Lane) => void,
): Promise<Row[]> {
  return new Promise((resolve, reject) => {
    const query = statement(lane.sql);
    let cancelled: Promise<void> | undefined;
    let giveUp: NodeJS.Timeout | undefined;
    const onAbort = () => {
      reject(abortFault(signal));
      cancelled = cancel(query);
      giveUp = setTimeout(() => replace(lane), graceMs);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    const settle = async (err?: unknown) => {
      signal.removeEventListener("abort", onAbort);
      // A cancel request on its way must not meet the next caller's statement.
      await cancelled;
      clearTimeout(giveUp);
      if (connectionIsLost(err)) replace(lane);
      release(lane);
    };
    query.then(
      (rows) => {
        resolve(rows);
        void settle();
      },
      (err) => {
        reject(storageFault(err, signal));
        void settle(err);
      },
    );
  });
}

/**
 * Asks the server to cancel. `query.cancel()` drops the promise of the cancel request, so that a database which cannot
 * be reached would end the process by an unhandled rejection; the function below it returns that promise.
 */
async function cancel(query: unknown): Promise<void> {
  const { canceller } = query as { canceller?: ((query: unknown) => Promise<void>) | null };
  await canceller?.(query).catch(() => {});
}

function connect(options: DatabaseOptions): Sql {
  return postgres(options.url, {
    max: 1,
    prepare: true,
    fetch_types: false,
    connect_timeout: 5,
    max_lifetime: null,
    backoff: () => 0,
    onnotice: () => {},
    connection: {
      application_name: "keyturn",
      statement_timeout: options.statementTimeoutMs,
      lock_timeout: options.lockTimeoutMs,
      TimeZone: "UTC",
    },
  });
}
