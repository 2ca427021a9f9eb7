import { abortFault, type FaultError, unavailable } from "../domain/fault.ts";
import { createLane, type Lane, type LaneOptions, type Statement } from "./lane.ts";

export interface DatabaseOptions extends LaneOptions {
  /** Connections, and so statements at a time. */
  readonly connectionsMax: number;
  /** Callers that may wait for a connection; one more is shed. */
  readonly queueMax: number;
  /** Milliseconds that a caller waits for a connection before it is shed. */
  readonly queueWaitMsMax: number;
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
  run<Row extends object>(signal: AbortSignal, statement: Statement<Row>): Promise<Row[]>;
  stats(): {
    readonly connections: number;
    readonly inUse: number;
    readonly queued: number;
    readonly shed: number;
  };
  /** Lets statements in flight finish for `timeoutMs`, then closes every connection. */
  close(timeoutMs: number): Promise<void>;
}

interface Waiter {
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

  return {
    async run(signal, statement) {
      if (closing) throw unavailable("draining", 0);
      if (signal.aborted) throw abortFault(signal);
      const lane = await acquire(signal);
      if (signal.aborted) {
        release(lane);
        throw abortFault(signal);
      }
      const { answer, free } = lane.run(signal, statement);
      void free.then(() => release(lane));
      return answer;
    },
    stats: () => ({ connections: options.connectionsMax, inUse, queued: waiters.size, shed }),
    async close(timeoutMs) {
      closing = true;
      for (const waiter of waiters) waiter.refuse(unavailable("draining", 0));
      const giveUpAt = performance.now() + timeoutMs;
      while (inUse > 0 && performance.now() < giveUpAt)
        await new Promise((resolve) => setTimeout(resolve, 5));
      await Promise.all(lanes.map((lane) => lane.close()));
    },
  };
}
