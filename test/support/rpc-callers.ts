import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { credentials, Client as GrpcClient, Metadata, type ServiceError } from "@grpc/grpc-js";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { toRestJson } from "../../src/door/rest-json.ts";
import { grpcFailure, rest } from "./clients.ts";
import type { DoorAddresses, DoorUnderTest } from "./doors.ts";
import { restSent } from "./rest-binding.ts";

/** What a caller hears of any RPC, in one form whichever door it came through. */
export interface Heard {
  /** Of the ErrorInfo; empty on success. */
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** The answer as the REST edge writes it; nothing after a failure, and over REST after a delete. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came back
  readonly body: any;
}

/** Somebody at one door of one server, with a connection of its own. */
export interface RpcCaller {
  readonly door: DoorUnderTest["name"];
  /** Rejects only when there is no answer that the service gave. Over REST a `requestId` goes as `Idempotency-Key`. */
  call<I extends DescMessage>(
    method: DescMethodUnary<I, DescMessage>,
    req: MessageInitShape<I>,
    headers: Readonly<Record<string, string>>,
  ): Promise<Heard>;
  close(): void;
}

/** One caller at each door of a server. */
export const rpcCallersOf = (at: DoorAddresses): RpcCaller[] => [
  overGrpc(at),
  overRest(at),
  overConnect(at, "Connect JSON"),
  overConnect(at, "Connect proto"),
  overConnect(at, "gRPC-Web"),
];

export function overGrpc({ grpcAddress }: Pick<DoorAddresses, "grpcAddress">): RpcCaller {
  // Without a pool of its own, each channel would share the one connection of the first.
  const options = { "grpc.use_local_subchannel_pool": 1 };
  const client = new GrpcClient(grpcAddress, credentials.createInsecure(), options);
  return {
    door: "gRPC",
    async call(method, req, headers) {
      const metadata = new Metadata();
      for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
      const answer = new Promise<MessageShape<DescMessage>>((resolve, reject) => {
        client.makeUnaryRequest(
          `/${method.parent.typeName}/${method.name}`,
          () => Buffer.from(toBinary(method.input, create(method.input, req))),
          (bytes: Buffer) => fromBinary(method.output, bytes),
          undefined,
          metadata,
          (err: ServiceError | null, res) => (err === null && res !== undefined ? resolve(res) : reject(err)),
        );
      });
      try {
        return done(toRestJson(method.output, await answer));
      } catch (err) {
        const { reason, metadata: facts } = await grpcFailure(answer);
        // A lost connection, or a refusal of grpc-js's own: a test that expects none of our reasons is not to take it for success.
        if (reason === undefined) throw err;
        return { reason, metadata: facts, body: undefined };
      }
    },
    close: () => client.close(),
  };
}

export function overConnect(
  { httpUrl: baseUrl }: Pick<DoorAddresses, "httpUrl">,
  door: "Connect JSON" | "Connect proto" | "gRPC-Web",
): RpcCaller {
  const options = { baseUrl, httpVersion: "1.1" as const };
  const transport =
    door === "gRPC-Web"
      ? createGrpcWebTransport(options)
      : createConnectTransport({ ...options, useBinaryFormat: door === "Connect proto" });
  return {
    door,
    async call(method, req, headers) {
      try {
        const { message } = await transport.unary(method, undefined, undefined, headers, req);
        return done(toRestJson(method.output, message));
      } catch (err) {
        if (!(err instanceof ConnectError)) throw err;
        const [info] = err.findDetails(ErrorInfoSchema);
        if (info === undefined) throw err;
        return { reason: info.reason, metadata: info.metadata, body: undefined };
      }
    },
    close() {},
  };
}

export function overRest(at: Pick<DoorAddresses, "httpUrl">): RpcCaller {
  return {
    door: "REST",
    async call(method, req, headers) {
      const message = create(method.input, req) as MessageShape<DescMessage> & { requestId?: string };
      const { requestId } = message;
      if (requestId !== undefined) message.requestId = "";
      const { httpMethod, target, body } = restSent(method, message);
      const res = await rest(at, target, {
        method: httpMethod,
        headers: {
          ...headers,
          ...(requestId ? { "idempotency-key": requestId } : {}),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body }),
      });
      if (res.status < 400) return done(res.body);
      const { reason, metadata = {} } = res.body.error.details[0];
      return { reason, metadata, body: undefined };
    },
    close() {},
  };
}

const done = (body: unknown): Heard => ({ reason: "", metadata: {}, body });

/** How many heard each reason; those who succeeded stand under "". */
export function tallyOf(heard: readonly Heard[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { reason } of heard) counts[reason] = (counts[reason] ?? 0) + 1;
  return counts;
}

/** The secrets that were handed out. */
export const secretsOf = (heard: readonly Heard[]): string[] =>
  heard.flatMap(({ body }) => (body?.clientSecret === undefined ? [] : [body.clientSecret]));
