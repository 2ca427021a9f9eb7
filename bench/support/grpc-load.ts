import { connect, type Socket } from "node:net";
import { summarize } from "./summary.ts";
import type { LoadResult } from "./turns.ts";

export interface GrpcLoad {
  /** `host:port` */
  readonly address: string;
  /** `/keyturn.v1.VerificationService/VerifyCredential`. */
  readonly path: string;
  readonly messages: readonly Buffer[];
  readonly token: string;
  readonly connections: number;
  /** Calls in flight at a time, over all connections. */
  readonly callers: number;
}

/**
 * Closed loop over HTTP/2, frame by frame (RFC 9113): a client library costs more than the server that it measures. A call
 * without a message in its answer is a failure.
 */
export async function runGrpcLoad(load: GrpcLoad, durationMs: number): Promise<LoadResult> {
  const latencies: number[] = [];
  let failures = 0;
  const onAnswer = (isMessage: boolean, tookMs: number) => {
    latencies.push(tookMs);
    if (!isMessage) failures += 1;
  };
  const startedAt = performance.now();
  const until = startedAt + durationMs;
  await Promise.all(
    Array.from({ length: load.connections }, (_, index) => runConnection(load, index, until, onAnswer)),
  );
  return summarize(latencies, failures, performance.now() - startedAt);
}

const FRAME = {
  DATA: 0,
  HEADERS: 1,
  RST_STREAM: 3,
  SETTINGS: 4,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
} as const;
const END_STREAM = 1;
const ACK = 1;
const END_HEADERS = 4;
const WINDOW_MAX = 2 ** 31 - 1;

async function runConnection(
  load: GrpcLoad,
  index: number,
  until: number,
  onAnswer: (isMessage: boolean, tookMs: number) => void,
): Promise<void> {
  const [host, port] = load.address.split(":");
  const socket = connect({ host: host ?? "", port: Number(port), noDelay: true });
  await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  const headers = headerBlock(load);
  const open = new Map<number, { readonly sentAt: number; isMessage: boolean }>();
  const ended = Promise.withResolvers<void>();
  let nextStream = 1;
  // Each goes through all of them, and no two are at the same one.
  let turn = Math.floor((index * load.messages.length) / load.connections);

  function call(): void {
    if (performance.now() >= until) {
      if (open.size === 0) ended.resolve();
      return;
    }
    const message = load.messages[turn % load.messages.length] as Buffer;
    turn += 1;
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(message.length, 1);
    socket.write(
      Buffer.concat([
        frame(FRAME.HEADERS, END_HEADERS, nextStream, headers),
        frame(FRAME.DATA, END_STREAM, nextStream, Buffer.concat([prefix, message])),
      ]),
    );
    open.set(nextStream, { sentAt: performance.now(), isMessage: false });
    nextStream += 2;
  }

  function onFrame(type: number, flags: number, stream: number, length: number): void {
    const answering = open.get(stream);
    if (type === FRAME.SETTINGS && (flags & ACK) === 0) socket.write(frame(FRAME.SETTINGS, ACK, 0));
    if (type === FRAME.DATA && length > 0) {
      if (answering !== undefined) answering.isMessage = true;
      const increment = Buffer.alloc(4);
      increment.writeUInt32BE(length);
      socket.write(frame(FRAME.WINDOW_UPDATE, 0, 0, increment));
    }
    const isEnd = type === FRAME.RST_STREAM || ((flags & END_STREAM) !== 0 && type <= FRAME.HEADERS);
    if (answering === undefined || !isEnd) return;
    open.delete(stream);
    onAnswer(answering.isMessage, performance.now() - answering.sentAt);
    call();
  }

  readFrames(socket, onFrame);
  socket.on("close", () => ended.reject(new Error("the server closed the connection")));
  const widen = Buffer.alloc(4);
  widen.writeUInt32BE(WINDOW_MAX - 65_535);
  socket.write(
    Buffer.concat([
      Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
      frame(FRAME.SETTINGS, 0, 0),
      frame(FRAME.WINDOW_UPDATE, 0, 0, widen),
    ]),
  );
  for (let caller = index; caller < load.callers; caller += load.connections) call();
  await ended.promise.finally(() => socket.destroy());
}

function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

function readFrames(
  socket: Socket,
  onFrame: (type: number, flags: number, stream: number, length: number) => void,
): void {
  let buffered: Buffer = Buffer.alloc(0);
  socket.on("data", (chunk) => {
    buffered = buffered.length === 0 ? chunk : Buffer.concat([buffered, chunk]);
    let at = 0;
    while (buffered.length - at >= 9) {
      const length = buffered.readUIntBE(at, 3);
      if (buffered.length - at < 9 + length) break;
      onFrame(buffered[at + 3] ?? 0, buffered[at + 4] ?? 0, buffered.readUInt32BE(at + 5), length);
      at += 9 + length;
    }
    buffered = buffered.subarray(at);
  });
}

/** The request's headers as HPACK literals that no table remembers (RFC 7541 section 6.2.2): the same for each call. */
function headerBlock({ address, path, token }: GrpcLoad): Buffer {
  const headers = {
    ":method": "POST",
    ":scheme": "http",
    ":path": path,
    ":authority": address,
    te: "trailers",
    "content-type": "application/grpc",
    "user-agent": "keyturn-bench",
    authorization: `Bearer ${token}`,
  };
  return Buffer.concat(
    Object.entries(headers).flatMap(([name, value]) => [Buffer.from([0]), hpackText(name), hpackText(value)]),
  );
}

/** A length in seven bits, or in as many more bytes as it takes (RFC 7541 section 5.1), and the text as it is. */
function hpackText(text: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const length = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) length.push((rest % 128) + 128);
  length.push(rest);
  return Buffer.concat([Buffer.from(length), bytes]);
}
