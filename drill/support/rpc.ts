import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { type ChannelOptions, Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { type GrpcFailure, grpcFailure } from "../../test/support/clients.ts";

export type Answer<O extends DescMessage> =
  | { readonly ok: MessageShape<O> }
  | { readonly failure: GrpcFailure };

/** How long a caller of a drill waits beyond the deadline that he has told. */
const PATIENCE_MS = 15_000;

/** A caller of one gRPC door, or of several with the published service config. */
export interface Rpc {
  /**
   * Tells the server a deadline, and waits for much longer: who hears nothing until then fails with CANCELLED, which
   * therefore says that the server has kept its caller waiting, and not that a machine was busy.
   */
  call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    req: MessageInitShape<I>,
    options: { readonly token: string; readonly timeoutMs?: number; readonly signal?: AbortSignal },
  ): Promise<Answer<O>>;
  close(): void;
}

export function openRpc(target: string, options: ChannelOptions = {}): Rpc {
  // Without a pool of its own, each channel would share the one connection of the first.
  const client = new Client(target, credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 200,
    ...options,
  });
  return {
    async call(method, req, { token, timeoutMs = 5_000, signal }) {
      const metadata = new Metadata();
      metadata.set("authorization", `Bearer ${token}`);
      metadata.set("grpc-timeout", `${timeoutMs}m`);
      let patience: NodeJS.Timeout | undefined;
      const answer = new Promise<MessageShape<(typeof method)["output"]>>((resolve, reject) => {
        const call = client.makeUnaryRequest(
          `/${method.parent.typeName}/${method.name}`,
          () => Buffer.from(toBinary(method.input, create(method.input, req))),
          (bytes: Buffer) => fromBinary(method.output, bytes),
          undefined,
          metadata,
          {},
          (err: ServiceError | null, res) => (err === null && res !== undefined ? resolve(res) : reject(err)),
        );
        patience = setTimeout(() => call.cancel(), timeoutMs + PATIENCE_MS);
        signal?.addEventListener("abort", () => call.cancel(), { once: true });
      });
      try {
        return { ok: await answer };
      } catch {
        return { failure: await grpcFailure(answer) };
      } finally {
        clearTimeout(patience);
      }
    },
    close: () => client.close(),
  };
}
