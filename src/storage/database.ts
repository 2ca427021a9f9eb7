import { abortFault, FaultError, unavailable } from "../domain/fault.ts";
import type { CurrentSpan } from "../domain/span.ts";
import { createLane, type Lane, type LaneOptions, type Statement } from "./lane.ts";

export interface DatabaseOptions extends LaneOptions {
  /** Connections, and so statements at a time. */
  readonly connectionsMax: number;
  /** Statements at a time that may wait for the same row, so that one busy account cannot take every connection. */
  readonly connectionsOfGroupMax: number;
  /** Callers that may wait for a connection; one more is shed. */
  readonly queueMax: number;
  /** The same for callers of one group, so that a flood of them leaves places to others. Default: half of all. */
  readonly queueOfGroupMax?: number;
  /** Milliseconds that a caller waits for a connection before it is shed. */
  readonly queueWaitMsMax: number;
  /** The same for a caller whose own group holds all that it may: it would wait for a lock anyway. */
  readonly groupWaitMsMax: number;
  /** Told how long each statement waited for its connection, in milliseconds. */
  readonly onWait?: (waitedMs: number) => void;
}

export interface Database {
  /**
   * Runs one statement. The caller is answered as soon as `signal` aborts, whatever the server does; the statement is
   * then cancelled.
   * @param group what the statement locks, such as one service account: at most `connectionsOfGroupMax` at a time.
   * @throws FaultError unavailable (queue full, waited too long, database out of reach), lock_timeout,
   *   deadline_exceeded, cancelled, internal.
   */
  run<Row extends object>(signal: AbortSignal, statement: Statement<Row>, group?: string): Promise<Row[]>;
  /** Milliseconds in which a database at work has answered whatever a call asks, also behind a lock that others hold. */
  readonly silenceMsMax: number;
  /** Absent where no traces are kept. */
  readonly currentSpan?: CurrentSpan;
  stats(): {
    readonly connections: number;
    readonly inUse: number;
    readonly queued: number;
    readonly shed: number;
  };
  /** Lets statements in flight finish for `timeoutMs`, then closes every connection. */
  close(timeoutMs: number): Promise<void>;
}

/** What a statement takes at the most, but for the wait for a lock. */
const WORK_MS_MAX = 4_000;

/** The driver sends what the URL says instead of what it is told. */
function lockTimeoutMsOf({ url, lockTimeoutMs }: LaneOptions): number {
  const [, digits] = /[?&]lock_timeout=(\d+)(?:&|$)/.exec(url) ?? [];
  return digits === undefined ? lockTimeoutMs : Number(digits);
}

interface Waiter {
  readonly group: string | undefined;
  readonly give: (lane: Lane) => void;
  readonly refuse: (err: FaultError) => void;
}

/**
 * A pool of lanes. The driver's own pool has no bound on waiting, no read time-out and no way to give up one connection
 * (docs/adr/0007); here waiting is bounded, a statement ends with its caller, and a connection that is lost or silent is
 * replaced, never revived.
 */
export function openDatabase(options: DatabaseOptions): Database {
  const lanes: readonly Lane[] = Array.from({ length: options.connectionsMax }, () => createLane(options));
  const idle = [...lanes];
  const waiters = new Set<Waiter>();
  const groups = new Map<string, number>();
  const { queueOfGroupMax = Math.ceil(options.queueMax / 2) } = options;
  let shed = 0;
  let closing = false;
  let onIdle: (() => void) | undefined;

  function refuse(): FaultError {
    shed += 1;
    return unavailable("database_queue", options.queueWaitMsMax);
  }

  function hasRoom(group: string | undefined): boolean {
    return group === undefined || (groups.get(group) ?? 0) < options.connectionsOfGroupMax;
  }

  function count(group: string | undefined, change: 1 | -1): void {
    if (group === undefined) return;
    const inFlight = (groups.get(group) ?? 0) + change;
    if (inFlight === 0) groups.delete(group);
    else groups.set(group, inFlight);
  }

  function isGroupQueueFull(group: string | undefined): boolean {
    if (group === undefined || waiters.size < queueOfGroupMax) return false;
    let waiting = 0;
    for (const waiter of waiters) if (waiter.group === group) waiting += 1;
    return waiting >= queueOfGroupMax;
  }

  function acquire(signal: AbortSignal, group: string | undefined): Promise<Lane> | Lane {
    const lane = hasRoom(group) ? idle.pop() : undefined;
    if (lane !== undefined) {
      count(group, 1);
      options.onWait?.(0);
      return lane;
    }
    if (waiters.size >= options.queueMax || isGroupQueueFull(group)) throw refuse();
    return waitForLane(signal, group);
  }

  function waitForLane(signal: AbortSignal, group: string | undefined): Promise<Lane> {
    const since = performance.now();
    return new Promise((resolve, reject) => {
      const leave = () => {
        waiters.delete(waiter);
        clearTimeout(timer);
        signal.removeEventListener("abort", onAbort);
      };
      const waiter: Waiter = {
        group,
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
      // Behind callers of its own group it waits for what they lock, while nothing says that the database is busy.
      const isBehindGroup = !hasRoom(group);
      const timer = setTimeout(
        () => waiter.refuse(isBehindGroup ? new FaultError({ kind: "lock_timeout" }) : refuse()),
        isBehindGroup ? options.groupWaitMsMax : options.queueWaitMsMax,
      );
      signal.addEventListener("abort", onAbort, { once: true });
      waiters.add(waiter);
    });
  }

  /** The lane goes to whoever waits longest and whose group has room. */
  function release(lane: Lane, group: string | undefined): void {
    count(group, -1);
    for (const waiter of waiters) {
      if (!hasRoom(waiter.group)) continue;
      count(waiter.group, 1);
      waiter.give(lane);
      return;
    }
    idle.push(lane);
    onIdle?.();
  }

  return {
    silenceMsMax: WORK_MS_MAX + lockTimeoutMsOf(options),
    async run(signal, statement, group) {
      if (closing) throw unavailable("draining", 0);
      if (signal.aborted) throw abortFault(signal);
      const lane = await acquire(signal, group);
      if (signal.aborted) {
        release(lane, group);
        throw abortFault(signal);
      }
      const { answer, free } = lane.run(signal, statement);
      void free.then(() => release(lane, group));
      return answer;
    },
    stats: () => ({
      connections: lanes.length,
      inUse: lanes.length - idle.length,
      queued: waiters.size,
      shed,
    }),
    async close(timeoutMs) {
      closing = true;
      for (const waiter of waiters) waiter.refuse(unavailable("draining", 0));
      const drained = Promise.withResolvers<void>();
      onIdle = () => idle.length === lanes.length && drained.resolve();
      onIdle();
      const timer = setTimeout(drained.resolve, timeoutMs);
      await drained.promise;
      clearTimeout(timer);
      await Promise.all(lanes.map((lane) => lane.close()));
    },
  };
}
