import { type DescMessage, type DescMethodUnary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { type handleUnaryCall, type Metadata, Server, status as StatusCode } from "@grpc/grpc-js";
import type { Call } from "../rpc/call.ts";
import { messageFromBinary } from "../rpc/decode.ts";
import type { Kernel } from "../rpc/kernel.ts";
import { type ClientAddressOf, createClientAddress } from "./client-address.ts";
import { SEND_AWAY_MS_MAX } from "./goaway.ts";
import { admission, pathOf } from "./grpc-admission.ts";
import { bindGrpc } from "./grpc-listener.ts";
import { answer, withRequestId } from "./grpc-status.ts";
import { createHealth, type DoorReadiness } from "./health.ts";
import type { OpenDoor } from "./http-server.ts";
import { guardHttp2 } from "./http2-server.ts";
import type { DoorTls } from "./tls.ts";

export interface GrpcDoorOptions {
  readonly kernel: Kernel;
  readonly host: string;
  readonly port: number;
  readonly messageBytesMax: number;
  readonly headerBytesMax: number;
  /** Whose call it is. Default: the peer's, whatever it forwards. */
  readonly clientAddressOf?: ClientAddressOf;
  /** Streams that one connection may have open; more wait at the client. */
  readonly concurrentStreamsMax: number;
  /** Absent: in clear. */
  readonly tls?: DoorTls | undefined;
  /** Whether to answer gRPC server reflection. */
  readonly reflection: boolean;
  /** Whether to keep books for channelz. Default: none. */
  readonly channelz?: boolean;
  /** What the health of every service is. Default: SERVING. */
  readonly readiness?: DoorReadiness;
  /** Told of a request for what there is not, by its reason. */
  readonly onUnrouted?: (reason: string, requestId: undefined) => void;
}

const ALWAYS_READY: DoorReadiness = { watch: (listener) => listener(true) };

type Unary = handleUnaryCall<Uint8Array, Uint8Array>;

/** HTTP/2: gRPC by grpc-js, with health checks and, where asked for, reflection. */
export async function openGrpcDoor(options: GrpcDoorOptions): Promise<OpenDoor> {
  const { kernel, clientAddressOf = createClientAddress([]), readiness = ALWAYS_READY } = options;
  const calls = new WeakMap<Metadata, Call>();
  const health = createHealth([...new Set(kernel.methods.map(({ parent }) => parent.typeName))], readiness);
  const server = new Server({
    interceptors: [admission(kernel, calls, clientAddressOf, options.messageBytesMax)],
    "grpc.max_receive_message_length": options.messageBytesMax,
    "grpc.max_concurrent_streams": options.concurrentStreamsMax,
    "grpc.keepalive_time_ms": 60_000,
    "grpc.keepalive_timeout_ms": 20_000,
    "grpc.enable_channelz": options.channelz === true ? 1 : 0,
  });
  for (const method of kernel.methods) register(server, method, unary(kernel, method, calls));
  health.addToServer(server);
  // It brings a parser of protos along, which a server in production does without.
  if (options.reflection) (await import("./reflection.ts")).addReflection(server, kernel.methods);

  const port = await bindGrpc(server, options.host, options.port, options.tls);
  const guard = guardHttp2(server, {
    paths: new Set(kernel.methods.map(pathOf)),
    headerBytesMax: options.headerBytesMax,
    onOther: (path) => isForeign(path) && options.onUnrouted?.("ROUTE_UNKNOWN", undefined),
  });
  options.tls?.watch((_material, isClientCaNew) => {
    // Who is connected was let in by the roots of before.
    if (isClientCaNew) void guard.outdate();
  });
  return {
    host: options.host,
    port,
    async close(timeoutMs) {
      health.end();
      const timer = setTimeout(() => guard.destroySessions(), timeoutMs);
      await guard.sendAway(Math.min(timeoutMs, SEND_AWAY_MS_MAX));
      server.tryShutdown(() => {});
      await guard.closed;
      clearTimeout(timer);
    },
  };
}

/** Health and reflection answer whatever stands behind their names. */
const isForeign = (path: string) => !/^\/grpc\.(health|reflection)\./.test(path);

/** Bytes in, bytes out: messages are decoded inside the chain, after the caller is known. */
function register(server: Server, method: DescMethodUnary, handler: Unary): void {
  const asIs = (bytes: Uint8Array) => bytes as Buffer;
  server.register(pathOf(method), handler, asIs, asIs, "unary");
}

function unary(kernel: Kernel, method: DescMethodUnary, calls: WeakMap<Metadata, Call>): Unary {
  const encode = (message: MessageShape<DescMessage>) => toBinary(method.output, message);
  return async (stream, respond) => {
    const call = calls.get(stream.metadata);
    if (call === undefined) return respond({ code: StatusCode.INTERNAL });
    // Its deadline has been told in the meantime.
    if (call.answered) return;
    try {
      const read = () => messageFromBinary(method.input, stream.request);
      const bytes = await kernel.invoke(call, read, encode);
      stream.sendMetadata(withRequestId(call));
      respond(null, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    } catch {
      respond(answer(call));
    }
  };
}
