import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { AddressInfo, Server, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { keepConnections } from "./http-connections.ts";
import { asHttp1, createListener } from "./http-listener.ts";
import type { DoorTls } from "./tls.ts";

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
  /** Absent: in clear, and HTTP/1.1 only. */
  readonly tls?: DoorTls | undefined;
  readonly onRequest: (req: IncomingMessage, res: ServerResponse) => Promise<void>;
  /** The answer to what could not be read as a request, by the code of Node's error. */
  readonly refusal: (errorCode: string) => Refusal;
}

export interface Refusal {
  readonly httpStatus: number;
  readonly contentType: string;
  readonly text: string;
}

/**
 * HTTP/1.1 with bounds on slow clients, that can be drained; with TLS also HTTP/2, as the client prefers (RFC 7301). What
 * comes over HTTP/2 is handed on in the form of HTTP/1.1.
 */
export async function openHttpServer(options: HttpServerOptions): Promise<OpenHttpServer> {
  const listener = createListener(options, (req, res) => {
    const { socket } = req;
    if (req.httpVersionMajor === 1) {
      if (!takesTurn(socket, res)) return void socket.destroy();
      connections.answering(socket, res);
      if (windingDown || connections.isOutdated(socket)) res.setHeader("connection", "close");
    }
    void options.onRequest(asHttp1(req), res);
  });
  const connections = keepConnections(listener);
  const takesTurn = boundTurns();
  let windingDown = false;
  listener.on("clientError", (err: NodeJS.ErrnoException, socket: Duplex) => {
    const isReadable = socket.writable && err.code !== "ECONNRESET";
    if (isReadable && connections.answerTo(socket)?.headersSent !== true)
      socket.write(written(options.refusal(err.code ?? "")));
    socket.destroy();
  });
  options.tls?.watch((_material, isClientCaNew) => {
    // Who is connected was let in by the roots of before.
    if (isClientCaNew) void connections.outdate();
  });

  await listen(listener, options.host, options.port);
  return {
    ...addressOf(listener),
    windDown() {
      windingDown = true;
    },
    close(timeoutMs) {
      windingDown = true;
      return connections.close(timeoutMs);
    },
  };
}

/** As many as HTTP/2 has of streams on a connection. */
const UNANSWERED_MAX = 100;

/**
 * Whether one more request of a connection may wait for its answer. One packet may have brought two thousand, which would
 * all be worked on before anybody else has his turn; clients that send their requests ahead of the answers send a few.
 */
function boundTurns(): (socket: Socket, res: ServerResponse) => boolean {
  const unanswered = new WeakMap<Socket, number>();
  return (socket, res) => {
    const count = (unanswered.get(socket) ?? 0) + 1;
    if (count > UNANSWERED_MAX || socket.destroyed) return false;
    unanswered.set(socket, count);
    res.once("close", () => unanswered.set(socket, (unanswered.get(socket) ?? 1) - 1));
    return true;
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
