import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { FaultError } from "../domain/fault.ts";
import { plainAddress, requestIdFrom } from "../rpc/call.ts";
import type { Kernel } from "../rpc/kernel.ts";
import { timeoutMsOf } from "../rpc/timeout.ts";
import { createConnectProtocols } from "./connect.ts";
import { sendFault } from "./http-answer.ts";
import { createRestEdge, type OpenHttpCall } from "./rest.ts";

export interface HttpDoorOptions {
  readonly kernel: Kernel;
  readonly host: string;
  readonly port: number;
  readonly messageBytesMax: number;
  readonly headerBytesMax: number;
  /** Told of an error that no call could be blamed for. */
  readonly onDefect: (err: unknown) => void;
}

/** A door that listens, and how to close it. */
export interface OpenDoor {
  readonly host: string;
  readonly port: number;
  /** Accepts nothing more, lets calls in flight finish for `timeoutMs`, then cuts what is left. */
  close(timeoutMs: number): Promise<void>;
}

/** HTTP/1.1 without TLS: Connect, gRPC-Web and the REST edge. */
export async function openHttpDoor(options: HttpDoorOptions): Promise<OpenDoor> {
  const { kernel, messageBytesMax } = options;
  const connect = createConnectProtocols(kernel, messageBytesMax);
  const rest = createRestEdge(kernel, messageBytesMax);

  const server = createServer(
    {
      maxHeaderSize: options.headerBytesMax,
      headersTimeout: 10_000,
      requestTimeout: 15_000,
      keepAliveTimeout: 65_000,
      connectionsCheckingInterval: 2_000,
    },
    (req, res) => void answer(req, res),
  );

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    if (closing) res.setHeader("connection", "close");
    const open: OpenHttpCall = (method, door) => beginCall(kernel, req, res, method, door);
    try {
      requireSaneHost(req);
      const [path = ""] = (req.url ?? "").split("?", 1);
      await (connect.offers(path) ? connect.handle(path, req, res, open) : rest.handle(req, res, open));
    } catch (err) {
      if (!(err instanceof FaultError)) options.onDefect(err);
      if (res.headersSent) return void res.destroy();
      sendFault(
        res,
        requestIdFrom(req.headers["x-request-id"]?.toString()),
        err instanceof FaultError ? err.fault : { kind: "internal" },
      );
    }
  }

  let closing = false;
  await listen(server, options.host, options.port);
  return {
    ...addressOf(server),
    async close(timeoutMs) {
      closing = true;
      await closeServer(server, timeoutMs);
    },
  };
}

function beginCall(
  kernel: Kernel,
  req: IncomingMessage,
  res: ServerResponse,
  method: Parameters<OpenHttpCall>[0],
  door: Parameters<OpenHttpCall>[1],
) {
  // A header that was sent twice is both: two tokens are no token.
  const header = (name: string) => req.headersDistinct[name]?.join(", ");
  const clientAddress = plainAddress(req.socket.remoteAddress);
  const call = kernel.open({ method, door, clientAddress, header, timeoutMs: timeoutMsOf(header) });
  res.once("close", () => {
    if (!res.writableFinished) call.abandon();
  });
  return call;
}

/**
 * RFC 9112 §3.2: a request with an invalid Host, or with several, is answered 400. Connect's Node adapter builds a URL
 * from it outside any try, which would end the process; nothing here does.
 */
function requireSaneHost(req: IncomingMessage): void {
  const hosts = req.headersDistinct["host"] ?? [];
  const [host = ""] = hosts;
  const isSane =
    hosts.length === 1 && /^[A-Za-z0-9._~%!$&'()*+,;=[\]:-]+$/.test(host) && URL.canParse(`http://${host}`);
  if (!isSane) {
    throw new FaultError({
      kind: "invalid_argument",
      violations: [{ field: "host", description: "must be one valid host in the Host header" }],
    });
  }
}

export async function listen(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

export function addressOf(server: Server): { readonly host: string; readonly port: number } {
  const { address, port } = server.address() as AddressInfo;
  return { host: address, port };
}

export async function closeServer(server: Server, timeoutMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), timeoutMs);
  await closed;
  clearTimeout(timer);
}
