import { Server } from "@grpc/grpc-js";
import type { Kernel } from "../rpc/kernel.ts";
import { channelzBooks } from "./channelz-books.ts";
import { type ClientAddressOf, createClientAddress } from "./client-address.ts";
import { SEND_AWAY_MS_MAX } from "./goaway.ts";
import { grpcCalls } from "./grpc-calls.ts";
import { bindGrpc } from "./grpc-listener.ts";
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
  /** How long a connection that its client leaves may be silent. Default: longer than any call is. */
  readonly silenceMsMax?: number | undefined;
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

const UNCOUNTED = () => () => {};

/**
 * HTTP/2: our calls by `grpcCalls`; connections, TLS, health checks and, where asked for, reflection and channelz by grpc-js
 * (docs/adr/0024).
 */
export async function openGrpcDoor(options: GrpcDoorOptions): Promise<OpenDoor> {
  const { kernel, clientAddressOf = createClientAddress([]), readiness = ALWAYS_READY } = options;
  const health = createHealth([...new Set(kernel.methods.map(({ parent }) => parent.typeName))], readiness);
  const server = new Server({
    "grpc.max_receive_message_length": options.messageBytesMax,
    "grpc.max_concurrent_streams": options.concurrentStreamsMax,
    "grpc.keepalive_time_ms": 60_000,
    "grpc.keepalive_timeout_ms": 20_000,
    "grpc.enable_channelz": options.channelz === true ? 1 : 0,
  });
  health.addToServer(server);
  // It brings a parser of protos along, which a server in production does without.
  if (options.reflection) (await import("./reflection.ts")).addReflection(server, kernel.methods);

  const port = await bindGrpc(server, options.host, options.port, options.tls);
  const { messageBytesMax, headerBytesMax } = options;
  const onCall = options.channelz === true ? channelzBooks(server) : UNCOUNTED;
  const guard = guardHttp2(server, {
    calls: grpcCalls({ kernel, clientAddressOf, messageBytesMax, onCall }),
    headerBytesMax,
    silenceMsMax: options.silenceMsMax,
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
