import { setTimeout as delay } from "node:timers/promises";
import { type GrpcConnection, type GrpcTarget, openGrpcConnection } from "./grpc-connection.ts";
import { summarize } from "./summary.ts";
import type { LoadResult } from "./turns.ts";

export interface GrpcLoad extends GrpcTarget {
  readonly messages: readonly Buffer[];
  readonly connections: number;
}

/** So many connections to a gRPC door. */
export async function openConnections({ connections, ...target }: GrpcLoad): Promise<GrpcConnection[]> {
  return Promise.all(Array.from({ length: connections }, () => openGrpcConnection(target)));
}

/** Closed loop: each caller asks again as soon as he has been answered. An answer without a message is a failure. */
export async function runGrpcLoad(
  load: GrpcLoad & { readonly callers: number },
  durationMs: number,
): Promise<LoadResult> {
  const connections = await openConnections(load);
  const latencies: number[] = [];
  let failures = 0;
  const startedAt = performance.now();
  const until = startedAt + durationMs;
  const { messages } = load;
  const runConnection = async (connection: GrpcConnection, index: number) => {
    // Each goes through all of them, and no two are at the same one.
    let turn = Math.floor((index * messages.length) / connections.length);
    const loop = async () => {
      while (performance.now() < until) {
        const sentAt = performance.now();
        const isMessage = await connection.call(messages[turn++ % messages.length] as Buffer);
        latencies.push(performance.now() - sentAt);
        if (!isMessage) failures += 1;
      }
    };
    const callers = Math.ceil((load.callers - index) / connections.length);
    await Promise.all(Array.from({ length: callers }, loop));
    connection.close();
  };
  await Promise.all(connections.map(runConnection));
  return summarize(latencies, failures, performance.now() - startedAt);
}

/** Open loop: a call each so many milliseconds, whatever became of the others. Its time begins when it was due. */
export async function runArrivals(
  call: () => Promise<boolean>,
  everyMs: number,
  durationMs: number,
): Promise<LoadResult> {
  const latencies: number[] = [];
  let failures = 0;
  const calls: Promise<void>[] = [];
  const startedAt = performance.now();
  for (let dueAt = startedAt; dueAt < startedAt + durationMs; dueAt += everyMs) {
    await delay(Math.max(0, dueAt - performance.now()));
    // A timer is up to a millisecond late by itself, which is no fault of who is called.
    const sentAt = performance.now() - dueAt < 2 ? performance.now() : dueAt;
    calls.push(
      call().then((isMessage) => {
        latencies.push(performance.now() - sentAt);
        if (!isMessage) failures += 1;
      }),
    );
  }
  await Promise.all(calls);
  return summarize(latencies, failures, performance.now() - startedAt);
}
