import { type DescMethodUnary, toBinary } from "@bufbuild/protobuf";
import {
  type handleUnaryCall,
  Metadata,
  Server,
  ServerInterceptingCall,
  type ServerInterceptor,
  status as StatusCode,
  type StatusObject,
} from "@grpc/grpc-js";
import { type Fault, FaultError } from "../domain/fault.ts";
import type { Call } from "../rpc/call.ts";
import { neverRead } from "../rpc/chain.ts";
import { messageFromBinary } from "../rpc/decode.ts";
import type { Kernel } from "../rpc/kernel.ts";
import { timeoutMsOf } from "../rpc/timeout.ts";
import { type ClientAddressOf, createClientAddress } from "./client-address.ts";
import { bindGrpc } from "./grpc-listener.ts";
import { faultOfStatus, grpcStatusOf } from "./grpc-status.ts";
import { createHealth, type DoorReadiness } from "./health.ts";
import type { OpenDoor } from "./http-server.ts";
import { guardHttp2, TIMEOUT_HEADER } from "./http2-server.ts";
import { addReflection } from "./reflection.ts";

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
  /** Whether to answer gRPC server reflection. */
  readonly reflection: boolean;
  /** What the health of every service is. Default: SERVING. */
  readonly readiness?: DoorReadiness;
}

const ALWAYS_READY: DoorReadiness = { watch: (listener) => listener(true) };

/** A client that does not answer a ping within this time is not waited for. */
const SEND_AWAY_MS_MAX = 1_000;

type Unary = handleUnaryCall<Uint8Array, Uint8Array>;

/** HTTP/2 without TLS: gRPC by grpc-js, with health checks and, where asked for, reflection. */
export async function openGrpcDoor(options: GrpcDoorOptions): Promise<OpenDoor> {
  const { kernel, clientAddressOf = createClientAddress([]), readiness = ALWAYS_READY } = options;
  const calls = new WeakMap<Metadata, Call>();
  const health = createHealth([...new Set(kernel.methods.map(({ parent }) => parent.typeName))], readiness);
  const server = new Server({
    interceptors: [admission(kernel, calls, clientAddressOf, options.messageBytesMax, health.interceptor)],
    "grpc.max_receive_message_length": options.messageBytesMax,
    "grpc.max_concurrent_streams": options.concurrentStreamsMax,
    "grpc.keepalive_time_ms": 60_000,
    "grpc.keepalive_timeout_ms": 20_000,
    "grpc.enable_channelz": 0,
  });
  for (const method of kernel.methods) register(server, method, unary(kernel, method, calls));
  health.addToServer(server);
  if (options.reflection) addReflection(server, kernel.methods);

  const port = await bindGrpc(server, options.host, options.port);
  const guard = guardHttp2(server, new Set(kernel.methods.map(pathOf)), options.headerBytesMax);
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

const pathOf = (method: DescMethodUnary) => `/${method.parent.typeName}/${method.name}`;

/** Bytes in, bytes out: messages are decoded inside the chain, after the caller is known. */
function register(server: Server, method: DescMethodUnary, handler: Unary): void {
  const asIs = (bytes: Uint8Array) => bytes as Buffer;
  server.register(pathOf(method), handler, asIs, asIs, "unary");
}

/**
 * Runs when the headers of a call have come, before any of its body is asked for: a caller who is refused by his token
 * is answered at once, and a body that never comes ends with the call's deadline. What is no call of ours goes to `others`.
 */
function admission(
  kernel: Kernel,
  calls: WeakMap<Metadata, Call>,
  clientAddressOf: ClientAddressOf,
  messageBytesMax: number,
  others: ServerInterceptor,
): ServerInterceptor {
  const methods = new Map(kernel.methods.map((method) => [pathOf(method), method]));
  return (definition, stream) => {
    const method = methods.get(definition.path);
    if (method === undefined) return others(definition, stream);
    let call: Call | undefined;
    let isRefused = false;
    const send = stream.sendStatus.bind(stream);
    const refuse = (refused: Call, read: () => never) => {
      isRefused = true;
      void kernel.invoke(refused, read).catch(() => send(answer(refused)));
    };
    // On the object itself, for what grpc-js refuses without us (an oversize message, a bad frame) takes no other way
    // out. It goes through the chain like any refusal, and gets its reason, log line and count there.
    stream.sendStatus = (status) => {
      if (isRefused) return;
      if (call === undefined || call.answered) send(status);
      else refuse(call, () => raise(faultOfStatus(status.code, messageBytesMax)));
    };
    return new ServerInterceptingCall(stream, {
      start: (next) =>
        next({
          async onReceiveMetadata(metadata, admit) {
            const opened = openCall(kernel, clientAddressOf, method, metadata, stream);
            call = opened;
            calls.set(metadata, opened);
            opened.signal.addEventListener("abort", () => opened.answered || refuse(opened, neverRead), {
              once: true,
            });
            const isAdmitted = await kernel.admits(opened);
            if (opened.answered) return;
            if (isAdmitted) admit(metadata);
            else refuse(opened, neverRead);
          },
          onReceiveMessage: (message, next) => next(message),
          onReceiveHalfClose: (next) => next(),
          onCancel: () => call?.abandon(),
        }),
    });
  };
}

function openCall(
  kernel: Kernel,
  clientAddressOf: ClientAddressOf,
  method: DescMethodUnary,
  metadata: Metadata,
  stream: Pick<ServerInterceptingCall, "getPeer">,
): Call {
  const peer = stream.getPeer().replace(/:\d+$/, "");
  return kernel.open({
    method,
    door: "grpc",
    clientAddress: clientAddressOf(peer, headerOf(metadata, "x-forwarded-for")),
    header: (name) => headerOf(metadata, name),
    timeoutMs: timeoutMsOf((name) =>
      name === "grpc-timeout" ? headerOf(metadata, TIMEOUT_HEADER) : undefined,
    ),
  });
}

/** A header that was sent twice is both: two tokens are no token. */
function headerOf(metadata: Metadata, name: string): string | undefined {
  const values = metadata.get(name);
  return values.length === 0 ? undefined : values.join(", ");
}

function unary(kernel: Kernel, method: DescMethodUnary, calls: WeakMap<Metadata, Call>): Unary {
  return async (stream, respond) => {
    const call = calls.get(stream.metadata);
    if (call === undefined) return respond({ code: StatusCode.INTERNAL });
    // Its deadline has been told in the meantime.
    if (call.answered) return;
    try {
      const message = await kernel.invoke(call, () => messageFromBinary(method.input, stream.request));
      stream.sendMetadata(withRequestId(call));
      const bytes = toBinary(method.output, message);
      respond(null, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    } catch {
      respond(answer(call));
    }
  };
}

function answer(call: Call): StatusObject {
  return grpcStatusOf(call.fault ?? { kind: "internal" }, withRequestId(call));
}

function withRequestId(call: Call): Metadata {
  const metadata = new Metadata();
  metadata.set("x-request-id", call.requestId);
  return metadata;
}

function raise(fault: Fault): never {
  throw new FaultError(fault);
}
