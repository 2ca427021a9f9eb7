import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";

/** A door that listens, and how to close it. */
export interface OpenDoor {
  readonly host: string;
  readonly port: number;
  /** Accepts nothing more, lets calls in flight finish for `timeoutMs`, then cuts what is left. */
  close(timeoutMs: number): Promise<void>;
}

export interface OpenHttpServer extends OpenDoor {
  /** Says to every client that its connection ends with the answer, and goes on to answer. */
  windDown(): void;
}

/** How slow a client may be, in milliseconds. */
export interface HttpTimeouts {
  /** From the connection, or the end of the request before, to the end of the headers. */
  readonly headersMsMax: number;
  /** To the end of the body. */
  readonly requestMsMax: number;
  /** Between two requests. */
  readonly idleMsMax: number;
  /** How often the first two are looked at. */
  readonly checkIntervalMs: number;
}

export interface HttpServerOptions {
  readonly host: string;
  readonly port: number;
  readonly headerBytesMax: number;
  readonly timeouts: HttpTimeouts;
  readonly onRequest: (req: IncomingMessage, res: ServerResponse) => Promise<void>;
  /** The answer to what could not be read as a request, by the code of Node's error. */
  readonly refusal: (errorCode: string) => Refusal;
}

export interface Refusal {
  readonly httpStatus: number;
  readonly contentType: string;
  readonly text: string;
}

/** HTTP/1.1 with bounds on slow clients, that can be drained. */
export async function openHttpServer(options: HttpServerOptions): Promise<OpenHttpServer> {
  const { timeouts } = options;
  const sockets = new Set<Socket>();
  const unanswered = new Map<Duplex | null, ServerResponse>();
  let windingDown = false;
  let closing = false;

  const server = createServer(
    {
      maxHeaderSize: options.headerBytesMax,
      headersTimeout: timeouts.headersMsMax,
      requestTimeout: timeouts.requestMsMax,
      keepAliveTimeout: timeouts.idleMsMax,
      connectionsCheckingInterval: timeouts.checkIntervalMs,
      // The door looks at the Host header itself, to answer in its own form.
      requireHostHeader: false,
    },
    (req, res) => {
      const { socket } = req;
      unanswered.set(socket, res);
      if (windingDown) res.setHeader("connection", "close");
      res.once("close", () => {
        if (unanswered.get(socket) === res) unanswered.delete(socket);
        if (closing) server.closeIdleConnections();
      });
      void options.onRequest(req, res);
    },
  );
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("clientError", (err: NodeJS.ErrnoException, socket) => {
    const isReadable = socket.writable && err.code !== "ECONNRESET";
    if (isReadable && unanswered.get(socket)?.headersSent !== true)
      socket.write(written(options.refusal(err.code ?? "")));
    socket.destroy();
  });

  await listen(server, options.host, options.port);
  return {
    ...addressOf(server),
    windDown() {
      windingDown = true;
    },
    async close(timeoutMs) {
      windingDown = true;
      closing = true;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) if (!unanswered.has(socket)) socket.destroy();
      for (const res of unanswered.values()) if (!res.headersSent) res.setHeader("connection", "close");
      const timer = setTimeout(() => server.closeAllConnections(), timeoutMs);
      await closed;
      clearTimeout(timer);
    },
  };
}

function written({ httpStatus, contentType, text }: Refusal): string {
  const head = [
    `HTTP/1.1 ${httpStatus} ${STATUS_CODES[httpStatus] ?? ""}`,
    "connection: close",
    "cache-control: no-store",
    `content-type: ${contentType}`,
    `content-length: ${Buffer.byteLength(text)}`,
  ];
  return `${head.join("\r\n")}\r\n\r\n${text}`;
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function addressOf(server: Server): { readonly host: string; readonly port: number } {
  const { address, port } = server.address() as AddressInfo;
  return { host: address, port };
}
