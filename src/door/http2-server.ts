import type { Http2Server, Http2Session, IncomingHttpHeaders } from "node:http2";
import { Server as NetServer, type Socket } from "node:net";
import type { Server } from "@grpc/grpc-js";
import { endSessions, SEND_AWAY_MS_MAX, sendAway } from "./goaway.ts";

export interface Http2Guard {
  /**
   * Accepts no connection more, and asks those that there are to go elsewhere with their next call. Resolves when they
   * have heard it, or after `timeoutMs`.
   */
  sendAway(timeoutMs: number): Promise<void>;
  /** Ends the connections that there are, without losing a call. */
  outdate(): Promise<void>;
  /** Ends every connection at once. */
  destroySessions(): void;
  /** Resolves when nothing is accepted any more and every connection has ended. */
  readonly closed: Promise<unknown>;
}

export interface GuardOptions {
  /** Of the calls whose deadline is ours to keep. */
  readonly paths: ReadonlySet<string>;
  readonly headerBytesMax: number;
  /** Told of each request for another path. */
  readonly onOther: (path: string) => void;
}

/** Where the client's `grpc-timeout` is found by the time grpc-js hands the metadata on. */
export const TIMEOUT_HEADER = "keyturn-grpc-timeout";

/**
 * Three things that grpc-js has no option for, done on the HTTP/2 server inside it:
 * - A bound on the headers of a call.
 * - The deadline. Its own clock turns over above 24.8 days, so that a patient client is told at once that he is late; and
 *   it answers without a reason. The header is put aside for the kernel, which keeps the time at every door.
 * - The drain. grpc-js closes connections at once, with calls on the way that it then does not answer; without channelz its
 *   `forceShutdown` does not know the connections; and `tryShutdown` waits for ever for one that ends at that moment.
 */
export function guardHttp2(server: Server, { paths, headerBytesMax, onOther }: GuardOptions): Http2Guard {
  const sessions = new Set<Http2Session>();
  const sockets = new Set<Socket>();
  const servers = [...http2ServersOf(server)];
  for (const http2 of servers) {
    http2.updateSettings({ maxHeaderListSize: headerBytesMax });
    keep(http2, "connection", sockets);
    keep(http2, "session", sessions);
    http2.prependListener("stream", (_stream, headers) => {
      const path = headers[":path"] ?? "";
      if (paths.has(path)) putTimeoutAside(headers);
      else onOther(path);
    });
  }
  return {
    async sendAway(timeoutMs) {
      // Its own `close` would close the connections as well.
      for (const http2 of servers) NetServer.prototype.close.call(http2);
      await sendAway(sessions, timeoutMs);
      // Who has not even shaken hands by now has sent no call.
      const speaking = new Set([...sessions].map(({ socket }) => peerOf(socket)));
      for (const socket of sockets) if (!speaking.has(peerOf(socket))) socket.destroy();
    },
    outdate: () => endSessions(sessions, SEND_AWAY_MS_MAX),
    destroySessions() {
      for (const session of sessions) session.destroy();
      for (const socket of sockets) socket.destroy();
    },
    closed: Promise.all(servers.map((http2) => new Promise((resolve) => http2.once("close", resolve)))),
  };
}

/** Keeps what the server announces for as long as it is open. */
function keep<T extends Http2Session | Socket>(
  http2: Http2Server,
  event: "connection" | "session",
  open: Set<T>,
) {
  http2.on(event, (opened: T) => {
    open.add(opened);
    opened.once("close", () => open.delete(opened));
  });
}

const peerOf = (socket: Pick<Socket, "remoteAddress" | "remotePort"> | undefined) =>
  `${socket?.remoteAddress}:${socket?.remotePort}`;

function putTimeoutAside(headers: IncomingHttpHeaders): void {
  const timeout = headers["grpc-timeout"];
  delete headers["grpc-timeout"];
  delete headers[TIMEOUT_HEADER];
  if (timeout !== undefined) headers[TIMEOUT_HEADER] = timeout;
}

/** A private field of grpc-js 1.14, which is pinned: tests of deadlines, headers and drain fail should it move. */
function http2ServersOf(server: Server): Iterable<Http2Server> {
  const { http2Servers } = server as unknown as { readonly http2Servers: ReadonlyMap<Http2Server, unknown> };
  return http2Servers.keys();
}
