import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { request } from "node:https";
import { text } from "node:stream/consumers";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import type { Leaf } from "./authority.ts";
import { credentialsPath } from "./clients.ts";
import { encodeCreate } from "./doors.ts";
import type { GivenDoors } from "./given-doors.ts";
import { CREATE_PATH } from "./raw-grpc.ts";

/** Whom a client trusts, and what it shows of itself. */
export interface Trust {
  readonly ca: string;
  readonly client?: Leaf | undefined;
}

export interface SecureDoor {
  readonly name: string;
  /** A create with these headers: the gRPC code or the HTTP status, or "no connection". */
  create(h: GivenDoors, trust: Trust, headers?: Readonly<Record<string, string>>): Promise<number | string>;
  readonly answers: { readonly good: number; readonly unauthenticated: number; readonly denied: number };
}

const HTTP_ANSWERS = { good: 201, unauthenticated: 401, denied: 403 };
const NO_CONNECTION = "no connection";
const BODY = { serviceAccountId: "sa-one" };

/** One RPC over each protocol that TLS carries here. */
export const SECURE_DOORS: readonly SecureDoor[] = [
  { name: "gRPC", create: overGrpc, answers: { good: 0, unauthenticated: 16, denied: 7 } },
  { name: "REST over HTTP/1.1", create: overHttp1, answers: HTTP_ANSWERS },
  { name: "REST over HTTP/2", create: overHttp2, answers: HTTP_ANSWERS },
];

const tlsOptions = ({ ca, client }: Trust) => ({ ca, ...client });

async function overGrpc(
  h: GivenDoors,
  { ca, client }: Trust,
  headers: Readonly<Record<string, string>> = {},
) {
  const secure = credentials.createSsl(
    Buffer.from(ca),
    client === undefined ? null : Buffer.from(client.key),
    client === undefined ? null : Buffer.from(client.cert),
  );
  const grpc = new Client(h.grpcAddress, secure);
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  try {
    return await new Promise<number | string>((resolve) =>
      grpc.makeUnaryRequest(
        CREATE_PATH,
        () => encodeCreate(BODY),
        (bytes: Buffer) => bytes,
        BODY,
        metadata,
        (err: ServiceError | null) => {
          // What comes from the server has its request id.
          const isOurs = err === null || err.metadata.get("x-request-id").length > 0;
          resolve(isOurs ? (err?.code ?? 0) : NO_CONNECTION);
        },
      ),
    );
  } finally {
    grpc.close();
  }
}

function overHttp1(h: GivenDoors, trust: Trust, headers: Readonly<Record<string, string>> = {}) {
  return new Promise<number | string>((resolve) => {
    const req = request(h.httpUrl + credentialsPath("sa-one"), {
      ...tlsOptions(trust),
      method: "POST",
      agent: false,
      headers,
    });
    req.on("response", (res) => void text(res).then(() => resolve(res.statusCode ?? 0)));
    req.on("error", () => resolve(NO_CONNECTION));
    req.end();
  });
}

function overHttp2(h: GivenDoors, trust: Trust, headers: Readonly<Record<string, string>> = {}) {
  return new Promise<number | string>((resolve) => {
    const session = connectHttp2(h.httpUrl, tlsOptions(trust));
    const end = (answer: number | string) => {
      session.destroy();
      resolve(answer);
    };
    // With TLS 1.3 the client has shaken hands before the server has seen his certificate.
    session.on("error", () => end(NO_CONNECTION)).on("close", () => end(NO_CONNECTION));
    const stream = session.request({ ...headers, ":method": "POST", ":path": credentialsPath("sa-one") });
    stream.on("response", ({ ":status": status }) => stream.resume().on("end", () => end(Number(status))));
    stream.on("error", () => end(NO_CONNECTION));
    stream.end();
  });
}

/** A connection of TLS that says nothing yet. @throws when there is none. */
export async function tlsConnection(
  address: string,
  options: ConnectionOptions & { readonly ca: string },
): Promise<TLSSocket> {
  const { hostname, port } = new URL(`https://${address}`);
  const socket = connectTls({ ...options, host: hostname, port: Number(port) });
  await once(socket, "secureConnect");
  socket.on("error", () => {});
  return socket;
}
