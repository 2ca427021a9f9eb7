import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { JsonValue } from "@bufbuild/protobuf";
import {
  type ContextKey,
  createConnectRouter,
  createContextKey,
  createContextValues,
} from "@connectrpc/connect";
import type { UniversalHandler, UniversalServerRequest } from "@connectrpc/connect/protocol";
import { universalResponseToNodeResponse } from "@connectrpc/connect-node";
import { type Fault, FaultError, invalidArgument } from "../domain/fault.ts";
import { type Call, callKey } from "../rpc/call.ts";
import { callOf, neverEncoded, neverRead } from "../rpc/chain.ts";
import { decodeStrictJson, messageFromBinary, messageFromJson } from "../rpc/decode.ts";
import type { Kernel } from "../rpc/kernel.ts";
import { readBody } from "./body.ts";
import { commonHeaders, faultHeaders, sendFault } from "./http-answer.ts";
import type { OpenHttpCall } from "./rest.ts";

export interface ConnectProtocols {
  /** Whether the path is that of an RPC, such as `/keyturn.v1.CredentialService/CreateCredential`. */
  offers(path: string): boolean;
  handle(path: string, req: IncomingMessage, res: ServerResponse, open: OpenHttpCall): Promise<void>;
}

/** What is wrong with a call before Connect has read its message; thrown by the gate, through the chain. */
const problemKey: ContextKey<(() => never) | undefined> = createContextKey<(() => never) | undefined>(
  undefined,
);

/** Headers that stay with us: Connect's timers overflow above 24.8 days, and our own deadline holds anyway. */
const OWN_HEADERS = ["connect-timeout-ms", "grpc-timeout"];

/**
 * Connect and gRPC-Web, by Connect's own handlers. Three things are done in front of them, because they would do them
 * later, otherwise or not at all: the caller is known before the body is read, the body has a bound, and JSON is strict.
 */
export function createConnectProtocols(kernel: Kernel, messageBytesMax: number): ConnectProtocols {
  const router = createConnectRouter({
    grpc: false,
    interceptors: [...kernel.interceptors],
    readMaxBytes: messageBytesMax,
    jsonOptions: { ignoreUnknownFields: false },
    requestGate: async ({ values }) => {
      const problem = values.get(problemKey);
      if (problem !== undefined)
        await kernel.invoke(callOf({ contextValues: values }), problem, neverEncoded);
    },
  });
  kernel.route(router);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));

  return {
    offers: (path) => handlers.has(path),
    async handle(path, req, res, open) {
      const handler = handlers.get(path) as UniversalHandler;
      const call = open(handler.method as Call["method"], "connect");
      const unsupported = unsupportedProtocol(handler, req);
      if (unsupported !== undefined) return refuse(kernel, call, unsupported, res);
      const run = (body: UniversalServerRequest["body"], problem: (() => never) | undefined) =>
        handler({ ...universal(req, path, call, problem), body });
      const body = (await kernel.admits(call)) ? await readStrictly(req, call, messageBytesMax) : undefined;
      let answer = await run(toUniversal(body), body === undefined ? neverRead : body.problem);
      // Connect itself found a fault in the message, and would answer without reason, details or log line.
      if (!call.answered) answer = await run(toUniversal(undefined), () => misread(call, body));
      // The caller has gone: there is nobody to write to.
      if (res.destroyed) return;
      for (const [name, value] of Object.entries(answerHeaders(call))) res.setHeader(name, value ?? "");
      await universalResponseToNodeResponse(answer, res);
    },
  };
}

function answerHeaders(call: Call): OutgoingHttpHeaders {
  return { ...commonHeaders(call.requestId), ...(call.fault === undefined ? {} : faultHeaders(call.fault)) };
}

/** Connect would also take gRPC-Web as JSON, past our strict reading of it, and as text, which its handlers then refuse. */
const STRICT_CONTENT_TYPE = /^application\/(json|proto|grpc-web(\+proto)?)(\s*;|$)/i;

function unsupportedProtocol(handler: UniversalHandler, req: IncomingMessage): Fault | undefined {
  if (!handler.allowedMethods.includes(req.method ?? "")) {
    return { kind: "method_not_allowed", allowedMethods: handler.allowedMethods };
  }
  const contentType = req.headers["content-type"] ?? "";
  const isSupported = STRICT_CONTENT_TYPE.test(contentType) && handler.supportedContentType(contentType);
  return isSupported ? undefined : { kind: "content_type_unsupported" };
}

/** In no protocol of Connect's that the request could be answered in, so in the envelope of the REST edge. */
async function refuse(kernel: Kernel, call: Call, fault: Fault, res: ServerResponse): Promise<void> {
  const read = () => {
    throw new FaultError(fault);
  };
  await kernel.invoke(call, read, neverEncoded).catch(() => {});
  sendFault(res, call.requestId, call.fault ?? fault);
}

/** The request as Connect wants it. Its URL has no part of the Host header: nothing of ours depends on that. */
function universal(req: IncomingMessage, path: string, call: Call, problem: (() => never) | undefined) {
  const header = new Headers();
  for (const [name, value] of Object.entries(req.headersDistinct)) {
    if (!OWN_HEADERS.includes(name)) header.set(name, (value ?? []).join(", "));
  }
  return {
    httpVersion: req.httpVersion,
    method: req.method ?? "",
    url: `http://localhost${path}`,
    header,
    signal: call.signal,
    contextValues: createContextValues().set(callKey, call).set(problemKey, problem),
  };
}

/** A body that was read: as JSON when it is the Connect protocol's, else as bytes; or what is wrong with it. */
interface StrictBody {
  readonly json?: JsonValue;
  readonly bytes?: Uint8Array;
  readonly problem?: () => never;
}

async function readStrictly(req: IncomingMessage, call: Call, messageBytesMax: number): Promise<StrictBody> {
  try {
    requireUnpacked(req);
    const bytes = await readBody(req, messageBytesMax, call.signal, isGrpcWeb(req) ? ENVELOPE_BYTES : 0);
    if (!isJson(req)) return { bytes };
    const json = decodeStrictJson(bytes);
    // Connect reads it once more; here is where a fault gets the name of its field.
    messageFromJson(call.method.input, json);
    return { json };
  } catch (err) {
    return {
      problem: () => {
        throw err;
      },
    };
  }
}

/** gRPC-Web puts a flag and a length before its message. What comes packed is refused, as by the REST edge. */
const ENVELOPE_BYTES = 5;

function requireUnpacked(req: IncomingMessage): void {
  const encoding = req.headers["grpc-encoding"] ?? "identity";
  if (encoding !== "identity") throw new FaultError({ kind: "content_type_unsupported" });
}

const isJson = (req: IncomingMessage) => /^application\/json\b/i.test(req.headers["content-type"] ?? "");
const isGrpcWeb = (req: IncomingMessage) =>
  /^application\/grpc-web\b/i.test(req.headers["content-type"] ?? "");

function toUniversal(body: StrictBody | undefined): UniversalServerRequest["body"] {
  return body?.json !== undefined ? body.json : oneChunk(body?.bytes);
}

async function* oneChunk(bytes: Uint8Array | undefined): AsyncGenerator<Uint8Array> {
  if (bytes !== undefined) yield bytes;
}

/** Decodes again what Connect could not, to say which field it was. */
function misread(call: Call, body: StrictBody | undefined): never {
  if (body?.bytes !== undefined) messageFromBinary(call.method.input, body.bytes);
  throw invalidArgument({ field: "", description: "the request does not follow its protocol" });
}
