import type { Http2Session, IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import {
  type DescMessage,
  type DescMethod,
  type DescMethodUnary,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { Call } from "../rpc/call.ts";
import { type Encode, neverEncoded, neverRead } from "../rpc/chain.ts";
import { messageFromBinary } from "../rpc/decode.ts";
import type { Kernel } from "../rpc/kernel.ts";
import { timeoutMsOf } from "../rpc/timeout.ts";
import type { ClientAddressOf } from "./client-address.ts";
import { clientCertificateOf } from "./client-certificate.ts";
import { answerFault, answerMessage, refuseRequest } from "./grpc-answer.ts";
import { framed, type ReadMessage, receiveMessage } from "./grpc-message.ts";

export const pathOf = (method: DescMethod) => `/${method.parent.typeName}/${method.name}`;

/** Takes what comes on a stream. */
export type ServeStream = (
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  /** Name, value, name, value, as they came. */
  rawHeaders: readonly string[],
) => void;

export interface GrpcCallsOptions {
  readonly kernel: Kernel;
  readonly clientAddressOf: ClientAddressOf;
  readonly messageBytesMax: number;
  /** Told of each call as it comes, and by what it gives back whether it has succeeded. */
  readonly onCall: (session: Http2Session | undefined) => (isSuccess: boolean) => void;
}

/**
 * The calls of the kernel as gRPC has them over HTTP/2 (docs/adr/0024), by their paths. A caller is let in or refused by the
 * headers of his call, before any of its body is asked for: who is refused is answered at once, and a body that never
 * comes ends with the call's deadline.
 */
export function grpcCalls(options: GrpcCallsOptions): ReadonlyMap<string, ServeStream> {
  return new Map(options.kernel.methods.map((method) => [pathOf(method), serving(options, method)]));
}

function serving(options: GrpcCallsOptions, method: DescMethodUnary): ServeStream {
  const { kernel, messageBytesMax } = options;
  const encode = (message: MessageShape<DescMessage>) => framed(toBinary(method.output, message));
  return (stream, headers, rawHeaders) => {
    // Whatever has gone wrong, the stream ends, and that is heard of.
    stream.on("error", () => {});
    const unfit = unfitness(headers);
    if (unfit !== undefined) return refuseRequest(stream, unfit);
    const header = headersOf(headers, rawHeaders);
    const call = openCall(options, method, stream, header);
    const ended = options.onCall(stream.session);

    /** Once: a call that has been answered is not answered again. */
    async function answer(read: () => MessageShape<DescMessage>, encode: Encode<Buffer>): Promise<void> {
      if (call.answered) return;
      const message = await kernel.invoke(call, read, encode).catch(() => undefined);
      if (message === undefined) answerFault(stream, call);
      else answerMessage(stream, call, message);
      ended(message !== undefined);
    }
    const refuse = () => void answer(neverRead, neverEncoded);
    const proceed = (isAdmitted: boolean) => {
      if (call.answered) return;
      if (!isAdmitted) return refuse();
      const receive = (read: ReadMessage) =>
        void answer(() => messageFromBinary(method.input, read()), encode);
      receiveMessage(stream, { encoding: header("grpc-encoding"), bytesMax: messageBytesMax }, receive);
    };
    stream.once("close", call.abandon);
    call.signal.addEventListener("abort", refuse, { once: true });
    const admitted = kernel.admits(call);
    if (admitted instanceof Promise) void admitted.then(proceed);
    else proceed(admitted);
  };
}

/** The HTTP status of a request that is no call of gRPC. */
function unfitness({
  ":method": method,
  "content-type": contentType,
}: IncomingHttpHeaders): number | undefined {
  if (method !== "POST") return 405;
  return contentType === "application/grpc" || CONTENT_TYPE.test(contentType ?? "") ? undefined : 415;
}

const CONTENT_TYPE = /^application\/grpc(\+proto)?\s*(;|$)/i;

function openCall(
  { kernel, clientAddressOf }: GrpcCallsOptions,
  method: DescMethodUnary,
  { session }: ServerHttp2Stream,
  header: Call["header"],
): Call {
  return kernel.open({
    method,
    door: "grpc",
    clientAddress: clientAddressOf(peerOf(session), header("x-forwarded-for")),
    header,
    clientCertificate: () => clientCertificateOf(session?.socket ?? {}),
    timeoutMs: timeoutMsOf((name) => (name === "grpc-timeout" ? header(name) : undefined)),
  });
}

const peers = new WeakMap<Http2Session, string>();

/** Who is at the other end of a connection. It is asked for once: a session lets nobody at its socket but through a proxy. */
function peerOf(session: Http2Session | undefined): string | undefined {
  if (session === undefined) return undefined;
  const known = peers.get(session) ?? session.socket.remoteAddress;
  if (known !== undefined) peers.set(session, known);
  return known;
}

/** The headers of a call by their names. Node keeps only the first of two tokens, and two are none. */
function headersOf(headers: IncomingHttpHeaders, rawHeaders: readonly string[]): Call["header"] {
  const hasSeveralTokens = rawHeaders.filter(isTokenAt).length > 1;
  return (name) => {
    const value = hasSeveralTokens && name === "authorization" ? "several" : headers[name];
    return Array.isArray(value) ? value.join(", ") : value;
  };
}

/** Names stand at even places, their values behind them. */
const isTokenAt = (text: string, at: number): boolean => at % 2 === 0 && text === "authorization";
