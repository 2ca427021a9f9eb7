import type { Http2Server, Http2Session, IncomingHttpHeaders } from "node:http2";
import type { Server } from "@grpc/grpc-js";

export interface Http2Guard {
  /** Ends every connection at once. */
  destroySessions(): void;
}

/** Where the client's `grpc-timeout` is found by the time grpc-js hands the metadata on. */
export const TIMEOUT_HEADER = "keyturn-grpc-timeout";

/**
 * Three things that grpc-js has no option for, done on the HTTP/2 server inside it:
 * - A bound on the headers of a call.
 * - The deadline. Its own clock turns over above 24.8 days, so that a patient client is told at once that he is late; and
 *   it answers without a reason. The header is put aside for the kernel, which keeps the time at every door.
 * - The end of a drain. Without channelz, `forceShutdown` does not know the connections and leaves them open.
 */
export function guardHttp2(server: Server, paths: ReadonlySet<string>, headerBytesMax: number): Http2Guard {
  const sessions = new Set<Http2Session>();
  for (const http2 of http2ServersOf(server)) {
    http2.updateSettings({ maxHeaderListSize: headerBytesMax });
    http2.on("session", (session) => {
      sessions.add(session);
      session.once("close", () => sessions.delete(session));
    });
    http2.prependListener("stream", (_stream, headers) => {
      if (paths.has(headers[":path"] ?? "")) putTimeoutAside(headers);
    });
  }
  return {
    destroySessions() {
      for (const session of sessions) session.destroy();
    },
  };
}

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
