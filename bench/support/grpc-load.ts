import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { type LoadResult, summarize } from "./http-load.ts";

export interface GrpcLoad {
  readonly address: string;
  /** `/keyturn.v1.VerificationService/VerifyCredential`. */
  readonly path: string;
  readonly messages: readonly Buffer[];
  readonly token: string;
  readonly connections: number;
  /** Calls in flight at a time, over all connections. */
  readonly callers: number;
}

const asIs = (bytes: Buffer) => bytes;

/** Closed loop over grpc-js, bytes in and bytes out. */
export async function runGrpcLoad(load: GrpcLoad, durationMs: number): Promise<LoadResult> {
  const clients = Array.from(
    { length: load.connections },
    () => new Client(load.address, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 }),
  );
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${load.token}`);
  const until = performance.now() + durationMs;
  const latencies: number[] = [];
  let failures = 0;
  const startedAt = performance.now();
  const caller = async (index: number) => {
    const client = clients[index % clients.length] as Client;
    for (let turn = index; performance.now() < until; turn += load.callers) {
      const sentAt = performance.now();
      const isAnswered = await new Promise<boolean>((resolve) => {
        client.makeUnaryRequest(
          load.path,
          asIs,
          asIs,
          load.messages[turn % load.messages.length] as Buffer,
          metadata,
          (err) => resolve(err === null),
        );
      });
      latencies.push(performance.now() - sentAt);
      if (!isAnswered) failures += 1;
    }
  };
  await Promise.all(Array.from({ length: load.callers }, (_, index) => caller(index)));
  for (const client of clients) client.close();
  return summarize(latencies, failures, performance.now() - startedAt);
}
