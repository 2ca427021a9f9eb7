import type { Http2Server, Http2Session } from "node:http2";
import { Server as NetServer, type Socket } from "node:net";
import type { Server } from "@grpc/grpc-js";
import { closeWhenLeft, endSessions, SEND_AWAY_MS_MAX, sendAway } from "./goaway.ts";
import type { ServeStream } from "./grpc-calls.ts";

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
  /** What is ours, by its path. All else is for grpc-js. */
  readonly calls: ReadonlyMap<string, ServeStream>;
  readonly headerBytesMax: number;
  /** How long a connection that its client leaves may be silent. Default: longer than any call is. */
  readonly silenceMsMax?: number | undefined;
  /** Told of each request for another path. */
  readonly onOther: (path: string) => void;
}

/**
 * Three things that grpc-js has no option for, done on the HTTP/2 server inside it:
 * - Calls that are not its own.
 * - A bound on the headers of a call, and on how long a connection stays that its client leaves.
 * - The drain. grpc-js closes connections at once, with calls on the way that it then does not answer; without channelz its
 *   `forceShutdown` does not know the connections; and `tryShutdown` waits for ever for one that ends at that moment.
 */
export function guardHttp2(server: Server, options: GuardOptions): Http2Guard {
  const { calls, headerBytesMax, silenceMsMax, onOther } = options;
  const sessions = new Set<Http2Session>();
  const sockets = new Set<Socket>();
  const servers = [...http2ServersOf(server)];
  for (const http2 of servers) {
    http2.updateSettings({ maxHeaderListSize: headerBytesMax });
    keep(http2, "connection", sockets);
    keep(http2, "session", sessions);
    http2.on("session", (session) => closeWhenLeft(session, silenceMsMax));
    const others = http2.listeners("stream");
    http2.removeAllListeners("stream");
    http2.on("stream", (stream, headers, flags, rawHeaders) => {
      const path = headers[":path"] ?? "";
      const serve = calls.get(path);
      if (serve !== undefined) return serve(stream, headers, rawHeaders);
      onOther(path);
      for (const other of others) other.call(http2, stream, headers, flags, rawHeaders);
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

/** A private field of grpc-js 1.14, which is pinned: tests of deadlines, headers and drain fail should it move. */
function http2ServersOf(server: Server): Iterable<Http2Server> {
  const { http2Servers } = server as unknown as { readonly http2Servers: ReadonlyMap<Http2Server, unknown> };
  return http2Servers.keys();
}
