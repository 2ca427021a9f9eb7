import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createSecureServer, type Http2ServerRequest } from "node:http2";
import type { SecureContextOptions } from "node:tls";
import { closeSession, closeWhenLeft } from "./goaway.ts";
import type { HttpServerOptions } from "./http-server.ts";
import type { DoorTls } from "./tls.ts";
import type { TlsMaterial } from "./tls-material.ts";

const CONCURRENT_STREAMS_MAX = 100;

/** What listens: `node:http` in clear; with TLS the server of `node:http2` that also speaks HTTP/1.1. */
export function createListener(
  { headerBytesMax, timeouts, tls }: HttpServerOptions,
  onRequest: (req: IncomingMessage, res: ServerResponse) => void,
): Server {
  const http1 = {
    maxHeaderSize: headerBytesMax,
    headersTimeout: timeouts.headersMsMax,
    requestTimeout: timeouts.requestMsMax,
    keepAliveTimeout: timeouts.idleMsMax,
    connectionsCheckingInterval: timeouts.checkIntervalMs,
    // The door looks at the Host header itself, to answer in its own form.
    requireHostHeader: false,
  };
  if (tls === undefined) return createServer(http1, onRequest);
  const server = createSecureServer({
    ...http1,
    ...contextOf(tls.current()),
    ...clientCertificateOptions(tls),
    allowHTTP1: true,
    handshakeTimeout: timeouts.headersMsMax,
    settings: { maxConcurrentStreams: CONCURRENT_STREAMS_MAX, maxHeaderListSize: headerBytesMax },
  });
  server.on("request", (req, res) =>
    onRequest(req as unknown as IncomingMessage, res as unknown as ServerResponse),
  );
  server.on("session", (session) => {
    session.setTimeout(timeouts.idleMsMax, () => closeSession(session, timeouts.idleMsMax));
    closeWhenLeft(session, timeouts.idleMsMax);
  });
  // Errors of a connection that has shaken hands are nobody's but ours (nodejs/node#35824). They end it, and that is all.
  server.on("secureConnection", (socket) => socket.on("error", () => {}));
  tls.watch((material) => server.setSecureContext(contextOf(material)));
  return server as unknown as Server;
}

function contextOf({ cert, key, ca }: TlsMaterial): SecureContextOptions {
  return { cert, key, ...(ca === undefined ? {} : { ca }), minVersion: "TLSv1.2" };
}

function clientCertificateOptions({ clientCertificate }: DoorTls) {
  return {
    requestCert: clientCertificate !== "none",
    rejectUnauthorized: clientCertificate === "required",
  };
}

/**
 * A request over HTTP/2 with what the doors read of one over HTTP/1.1. Its headers are taken as they came: Node keeps only
 * the first of two that should be one, and two tokens are no token.
 */
export function asHttp1(req: IncomingMessage): IncomingMessage {
  if (req.httpVersionMajor === 1) return req;
  const { rawHeaders } = req as unknown as Http2ServerRequest;
  const distinct: Record<string, string[]> = Object.create(null);
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    distinct[name] = [...(distinct[name] ?? []), rawHeaders[index + 1] ?? ""];
  }
  // RFC 9113 section 8.3.1: `:authority` is what Host was.
  if (distinct[":authority"] !== undefined) distinct["host"] = distinct[":authority"];
  Object.defineProperty(req, "headersDistinct", { value: distinct });
  return req;
}
