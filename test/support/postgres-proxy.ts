import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { type SecureContext, TLSSocket } from "node:tls";

/** What the proxy does with the bytes that pass through it. */
export type ProxyMode =
  | "pass"
  /** Keeps all bytes to itself and delivers them on the next "pass": a network that lost its way for a while. */
  | "silent"
  /** The same, for connections that are taken from now on. */
  | "silent_to_new"
  /** Passes requests on and swallows the answers. */
  | "drop_answers"
  /** Swallows all bytes, for ever: a route that leads nowhere. */
  | "hole"
  /** Delivers all bytes half a second later. */
  | "slow";

/** Stands between a server and its PostgreSQL: counts round trips, and misbehaves as a network does. */
export interface PostgresProxy {
  /** The same login at the same database, by way of the proxy. */
  readonly url: string;
  /** Times that a client has waited for an answer: each Sync, Flush and simple query after the login. */
  roundTrips(): number;
  /** Connections that were taken so far. */
  connections(): number;
  /** Requests to cancel a statement, so far. */
  cancels(): number;
  mode(mode: ProxyMode): void;
  /** Cuts every connection that is open now. */
  cut(): void;
  /** The same by RST, as a host does it that has forgotten the connection. */
  reset(): void;
  /** Ends every connection to PostgreSQL that is open now, of which its client hears nothing. */
  halfOpen(): void;
  /** Takes no new connection, until `listen`. Those that are open stay. */
  refuse(): void;
  listen(): Promise<void>;
  stop(): Promise<void>;
}

/** @param secure asks for TLS from clients, with this certificate; the way on to PostgreSQL is in clear. */
export async function startPostgresProxy(
  databaseUrl: string,
  secure?: SecureContext,
): Promise<PostgresProxy> {
  const target = new URL(databaseUrl);
  const counts = { roundTrips: 0, connections: 0, cancels: 0 };
  const open = new Set<Socket>();
  const held: (() => void)[] = [];
  let mode: ProxyMode = "pass";
  let server: Server | undefined;
  let port = 0;

  const upstreams = new Set<Socket>();

  const track = (socket: Socket) => {
    open.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => open.delete(socket));
  };

  /** Writes now, or when the silence is over. */
  const deliver = (to: Socket, bytes: Buffer, isNew: boolean) => {
    if (mode === "hole") return;
    if (mode === "silent" || (isNew && mode === "silent_to_new")) held.push(() => to.write(bytes));
    else if (mode === "slow") setTimeout(() => to.write(bytes), SLOW_MS);
    else to.write(bytes);
  };

  async function serve(raw: Socket): Promise<void> {
    counts.connections += 1;
    track(raw);
    const isNew = mode === "silent_to_new";
    const client = secure === undefined ? raw : await acceptTls(raw, secure);
    const upstream = connect(Number(target.port), target.hostname);
    track(upstream);
    upstreams.add(upstream);
    client.on("error", () => {});
    client.once("close", () => upstream.destroySoon());
    upstream.once("close", () => {
      if (upstreams.delete(upstream)) client.destroy();
    });
    const watch = frontendMessages((message) => {
      if (message === "cancel") counts.cancels += 1;
      if (message === "wait") counts.roundTrips += 1;
    });
    client.on("data", (bytes: Buffer) => {
      watch(bytes);
      deliver(upstream, bytes, isNew);
    });
    upstream.on("data", (bytes: Buffer) => {
      if (mode !== "drop_answers") deliver(client, bytes, isNew);
    });
  }

  const cut = () => {
    for (const socket of open) socket.destroy();
  };
  const reset = () => {
    for (const socket of open) socket.resetAndDestroy();
  };
  const halfOpen = () => {
    for (const upstream of upstreams) {
      upstreams.delete(upstream);
      upstream.destroy();
    }
  };
  const listen = async () => {
    server = createServer((socket) => void serve(socket).catch(() => socket.destroy()));
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    port = (server.address() as AddressInfo).port;
  };
  const refuse = () => {
    server?.close();
    server = undefined;
  };

  await listen();
  const url = new URL(databaseUrl);
  url.port = String(port);
  if (secure !== undefined) url.searchParams.set("sslmode", "require");
  return {
    url: url.href,
    roundTrips: () => counts.roundTrips,
    connections: () => counts.connections,
    cancels: () => counts.cancels,
    mode: (next) => {
      mode = next;
      if (next === "pass") for (const write of held.splice(0)) write();
    },
    cut,
    reset,
    halfOpen,
    refuse,
    listen,
    stop: async () => {
      const closed = server === undefined ? undefined : once(server, "close");
      refuse();
      cut();
      await closed;
    },
  };
}

const SLOW_MS = 500;
const SSL_REQUEST = 80_877_103;
const CANCEL_REQUEST = 80_877_102;

/** Answers the client's SSLRequest, which must come first, and continues inside TLS. */
async function acceptTls(raw: Socket, secureContext: SecureContext): Promise<Socket> {
  const [request] = (await once(raw, "data")) as [Buffer];
  if (request.readInt32BE(4) !== SSL_REQUEST) throw new Error("the client did not ask for TLS");
  raw.pause();
  raw.write("S");
  return new TLSSocket(raw, { isServer: true, secureContext });
}

const SYNC = "S".charCodeAt(0);
const FLUSH = "H".charCodeAt(0);
const QUERY = "Q".charCodeAt(0);

/**
 * Takes a client's bytes apart (PostgreSQL documentation, "Message Formats"): the first message has no type, the others
 * have one byte of it, then their length.
 */
function frontendMessages(tell: (message: "cancel" | "wait") => void): (bytes: Buffer) => void {
  let rest = Buffer.alloc(0);
  let isFirst = true;
  return (bytes) => {
    rest = Buffer.concat([rest, bytes]);
    for (;;) {
      const header = isFirst ? 0 : 1;
      if (rest.length < header + 4) return;
      const end = header + rest.readInt32BE(header);
      if (rest.length < end) return;
      if (isFirst && end >= 8 && rest.readInt32BE(4) === CANCEL_REQUEST) tell("cancel");
      if (!isFirst && [SYNC, FLUSH, QUERY].includes(rest[0] as number)) tell("wait");
      isFirst = false;
      rest = rest.subarray(end);
    }
  };
}
