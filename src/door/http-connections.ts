import type { Server, ServerResponse } from "node:http";
import type { Http2Session } from "node:http2";
import { Server as NetServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { endSessions, SEND_AWAY_MS_MAX } from "./goaway.ts";

/** The connections of a server of HTTP/1.1, and with TLS of HTTP/2. */
export interface HttpConnections {
  /** A connection of HTTP/1.1 is busy until this answer is out. */
  answering(socket: Socket, res: ServerResponse): void;
  /** The answer that a connection waits for. */
  answerTo(socket: Duplex): ServerResponse | undefined;
  /** Whether the connection should end with its next answer. */
  isOutdated(socket: Socket): boolean;
  /** Ends the connections that there are, those of HTTP/1.1 that are busy with their next answer. */
  outdate(): Promise<void>;
  /** Accepts nothing more, lets calls in flight finish for `timeoutMs`, then cuts what is left. */
  close(timeoutMs: number): Promise<void>;
}

export function keepConnections(server: Server): HttpConnections {
  const sockets = new Set<Socket>();
  const sessions = new Set<Http2Session>();
  const unanswered = new Map<Duplex, ServerResponse>();
  const outdated = new WeakSet<Socket>();
  let closing = false;
  keep(server, "connection", sockets);
  keep(server, "secureConnection", sockets);
  keep(server, "session", sessions);

  /** Ends connections that wait for nothing. Under a TLS connection lies one of TCP, which is as busy as that. */
  const destroyIdle = () => {
    const busy = new Set([...unanswered.keys(), ...[...sessions].map(({ socket }) => socket)].map(peerOf));
    for (const socket of sockets) if (!busy.has(peerOf(socket))) socket.destroy();
  };
  return {
    answering(socket, res) {
      unanswered.set(socket, res);
      res.once("close", () => {
        if (unanswered.get(socket) === res) unanswered.delete(socket);
        if (closing) server.closeIdleConnections();
      });
    },
    answerTo: (socket) => unanswered.get(socket),
    isOutdated: (socket) => outdated.has(socket),
    async outdate() {
      for (const socket of sockets) outdated.add(socket);
      server.closeIdleConnections();
      await endSessions(sessions, SEND_AWAY_MS_MAX);
    },
    async close(timeoutMs) {
      closing = true;
      const closed = new Promise<void>((resolve) => server.once("close", () => resolve()));
      const timer = setTimeout(() => {
        for (const session of sessions) session.destroy();
        for (const socket of sockets) socket.destroy();
      }, timeoutMs);
      NetServer.prototype.close.call(server);
      destroyIdle();
      for (const res of unanswered.values()) if (!res.headersSent) res.setHeader("connection", "close");
      await endSessions(sessions, Math.min(timeoutMs, SEND_AWAY_MS_MAX));
      server.close();
      await closed;
      clearTimeout(timer);
    },
  };
}

/** Keeps what the server announces for as long as it is open. */
function keep<T extends Http2Session | Socket>(server: Server, event: string, open: Set<T>): void {
  server.on(event, (opened: T) => {
    open.add(opened);
    opened.once("close", () => open.delete(opened));
  });
}

const peerOf = (socket: Duplex | undefined) => {
  const { remoteAddress, remotePort } = (socket ?? {}) as Partial<Socket>;
  return `${remoteAddress}:${remotePort}`;
};
