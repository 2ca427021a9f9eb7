import type { IncomingMessage, ServerResponse } from "node:http";
import { type Fault, FaultError } from "../domain/fault.ts";
import type { Span } from "../domain/span.ts";
import { requestIdFrom } from "../rpc/call.ts";
import { statusOf } from "../rpc/errors.ts";
import type { Kernel } from "../rpc/kernel.ts";
import { timeoutMsOf } from "../rpc/timeout.ts";
import { type ClientAddressOf, createClientAddress } from "./client-address.ts";
import { clientCertificateOf } from "./client-certificate.ts";
import { createConnectProtocols } from "./connect.ts";
import { createDocuments, type DocumentsOptions } from "./documents.ts";
import { errorEnvelope, sendFault } from "./http-answer.ts";
import { type HttpTimeouts, type OpenHttpServer, openHttpServer, type Refusal } from "./http-server.ts";
import { createRestEdge, type OpenHttpCall } from "./rest.ts";
import type { DoorTls } from "./tls.ts";

export interface HttpDoorOptions extends DocumentsOptions {
  readonly kernel: Kernel;
  readonly host: string;
  readonly port: number;
  readonly messageBytesMax: number;
  readonly headerBytesMax: number;
  /** Whose call it is. Default: the peer's, whatever it forwards. */
  readonly clientAddressOf?: ClientAddressOf;
  /** Absent: in clear. */
  readonly tls?: DoorTls | undefined;
  /** Default: 10 s for the headers, 15 s for the whole request, 65 s between two, looked at every 2 s. */
  readonly timeouts?: HttpTimeouts;
  /** Told of a request that was refused before it became a call: a bad Host, no such path, not HTTP, which has no id either. */
  readonly onUnrouted: (reason: string, requestId: string | undefined) => void;
  /** Told of an error that no call could be blamed for. */
  readonly onDefect: (err: unknown) => void;
}

const TIMEOUTS: HttpTimeouts = {
  headersMsMax: 10_000,
  requestMsMax: 15_000,
  idleMsMax: 65_000,
  checkIntervalMs: 2_000,
};

/** Connect, gRPC-Web and the REST edge: over HTTP/1.1, with TLS also over HTTP/2. */
export async function openHttpDoor(options: HttpDoorOptions): Promise<OpenHttpServer> {
  const { kernel, messageBytesMax, headerBytesMax, clientAddressOf = createClientAddress([]) } = options;
  const connect = createConnectProtocols(kernel, messageBytesMax);
  const rest = createRestEdge(kernel, messageBytesMax);
  const answerDocument = createDocuments(options);

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const open = callOpener(kernel, clientAddressOf, req, res);
    try {
      requireSaneHost(req);
      const [path = ""] = (req.url ?? "").split("?", 1);
      if (await answerDocument(path, req, res)) return;
      await (connect.offers(path) ? connect.handle(path, req, res, open) : rest.handle(req, res, open));
    } catch (err) {
      const requestId = requestIdFrom(req.headers["x-request-id"]?.toString());
      const fault: Fault = err instanceof FaultError ? err.fault : { kind: "internal" };
      if (err instanceof FaultError) options.onUnrouted(statusOf(fault).reason, requestId);
      else options.onDefect(err);
      if (res.headersSent) return void res.destroy();
      sendFault(res, requestId, fault);
    }
  }

  return openHttpServer({
    host: options.host,
    port: options.port,
    headerBytesMax,
    tls: options.tls,
    timeouts: options.timeouts ?? TIMEOUTS,
    onRequest: answer,
    refusal: (errorCode) => {
      const [fault, httpStatus] = unreadable(errorCode, headerBytesMax);
      options.onUnrouted(statusOf(fault).reason, undefined);
      return refusalOf(fault, httpStatus);
    },
  });
}

function callOpener(
  kernel: Kernel,
  clientAddressOf: ClientAddressOf,
  req: IncomingMessage,
  res: ServerResponse,
): OpenHttpCall {
  // A header that was sent twice is both: two tokens are no token.
  const header = (name: string) => req.headersDistinct[name]?.join(", ");
  return (method, door, route) => {
    const clientAddress = clientAddressOf(req.socket.remoteAddress, header("x-forwarded-for"));
    const clientCertificate = () => clientCertificateOf(req.socket);
    const timeoutMs = timeoutMsOf(header);
    const call = kernel.open({ method, door, clientAddress, header, clientCertificate, timeoutMs, route });
    res.once("close", () => {
      if (call.span !== undefined) endSpan(call.span, res.statusCode);
      if (!res.writableFinished) call.abandon();
    });
    return call;
  };
}

function endSpan(span: Span, httpStatus: number): void {
  span.set({ "http.response.status_code": httpStatus });
  span.end(httpStatus >= 500 ? String(httpStatus) : undefined);
}

/**
 * RFC 9112 §3.2: a request with an invalid Host, or with several, is answered 400. Connect's Node adapter builds a URL
 * from it outside any try, which would end the process; nothing here does.
 */
function requireSaneHost(req: IncomingMessage): void {
  const hosts = req.headersDistinct["host"] ?? [];
  if (hosts.length !== 1 || !isSaneHost(hosts[0] ?? "")) {
    throw new FaultError({
      kind: "invalid_argument",
      violations: [{ field: "host", description: "must be one valid host in the Host header" }],
    });
  }
}

/** Hosts that were sane: a server is called by few names, and one that is made up must not take the place of others. */
const saneHosts = new Set<string>();
const SANE_HOSTS_MAX = 100;

function isSaneHost(host: string): boolean {
  if (saneHosts.has(host)) return true;
  const isSane = /^[A-Za-z0-9._~%!$&'()*+,;=[\]:-]+$/.test(host) && URL.canParse(`http://${host}`);
  if (isSane && saneHosts.size < SANE_HOSTS_MAX) saneHosts.add(host);
  return isSane;
}

/** What Node's parser refuses, and what comes too slowly, in the envelope of every other error. */
function refusalOf(fault: Fault, httpStatus: number): Refusal {
  return {
    httpStatus,
    contentType: "application/json",
    text: JSON.stringify(errorEnvelope(fault, httpStatus).body),
  };
}

function unreadable(errorCode: string, headerBytesMax: number): [fault: Fault, httpStatus: number] {
  switch (errorCode) {
    case "HPE_HEADER_OVERFLOW":
      return [{ kind: "message_too_large", limitBytes: headerBytesMax }, 431];
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return [{ kind: "deadline_exceeded" }, 408];
    default:
      return [
        { kind: "invalid_argument", violations: [{ field: "", description: "the bytes are not HTTP" }] },
        400,
      ];
  }
}
