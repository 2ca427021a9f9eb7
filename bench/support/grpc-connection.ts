import { connect, type Socket } from "node:net";

export interface GrpcTarget {
  /** `host:port` */
  readonly address: string;
  /** `/keyturn.v1.VerificationService/VerifyCredential`. */
  readonly path: string;
  readonly token: string;
  /** Whether the answer's message is what is wanted; absent: every message is. */
  readonly isWanted?: (message: Buffer) => boolean;
}

/** One HTTP/2 connection to a gRPC door. */
export interface GrpcConnection {
  /**
   * One call. Resolves to whether its answer had the message that is wanted: without one it was refused. A call that takes longer than `patienceMs` is given
   * up (RST_STREAM) and resolves to false.
   */
  call(message: Buffer, patienceMs?: number): Promise<boolean>;
  close(): void;
}

export const FRAME = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PING: 6,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;
const END_STREAM = 1;
const ACK = 1;
const END_HEADERS = 4;
const WINDOW_MAX = 2 ** 31 - 1;
const CANCEL = 8;
/** Of a gRPC message: whether it is compressed, and its length. */
const PREFIX_BYTES = 5;
const NOTHING = Buffer.alloc(0);

interface OpenCall {
  /** With its prefix of five bytes. */
  body: Buffer;
  readonly end: (isWanted: boolean) => void;
}

/** Frame by frame (RFC 9113): a client library costs more than the server that it measures. */
export async function openGrpcConnection(target: GrpcTarget): Promise<GrpcConnection> {
  const [host, port] = target.address.split(":");
  const socket = connect({ host: host ?? "", port: Number(port), noDelay: true });
  await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  const headers = headerBlock(target);
  const open = new Map<number, OpenCall>();
  let nextStream = 1;

  function onFrame(type: number, flags: number, stream: number, payload: Buffer): void {
    const call = open.get(stream);
    if (type === FRAME.SETTINGS && (flags & ACK) === 0) socket.write(frame(FRAME.SETTINGS, ACK, 0));
    if (type === FRAME.PING && (flags & ACK) === 0) socket.write(frame(FRAME.PING, ACK, 0, payload));
    if (type === FRAME.DATA && payload.length > 0) {
      if (call !== undefined)
        call.body = call.body.length === 0 ? payload : Buffer.concat([call.body, payload]);
      socket.write(frame(FRAME.WINDOW_UPDATE, 0, 0, number32(payload.length)));
    }
    const isEnd = type === FRAME.RST_STREAM || ((flags & END_STREAM) !== 0 && type <= FRAME.HEADERS);
    if (call === undefined || !isEnd) return;
    open.delete(stream);
    const isWhole = call.body.length >= PREFIX_BYTES && type !== FRAME.RST_STREAM;
    call.end(isWhole && (target.isWanted?.(call.body.subarray(PREFIX_BYTES)) ?? true));
  }

  readFrames(socket, onFrame);
  socket.on("error", () => {});
  socket.on("close", () => {
    for (const { end } of open.values()) end(false);
  });
  socket.write(
    Buffer.concat([
      Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
      frame(FRAME.SETTINGS, 0, 0),
      frame(FRAME.WINDOW_UPDATE, 0, 0, number32(WINDOW_MAX - 65_535)),
    ]),
  );

  const send = (message: Buffer, end: OpenCall["end"]): number => {
    const stream = nextStream;
    nextStream += 2;
    const body = Buffer.concat([Buffer.alloc(1), number32(message.length), message]);
    socket.write(
      Buffer.concat([
        frame(FRAME.HEADERS, END_HEADERS, stream, headers),
        frame(FRAME.DATA, END_STREAM, stream, body),
      ]),
    );
    open.set(stream, { body: NOTHING, end });
    return stream;
  };
  return {
    call: (message, patienceMs) =>
      new Promise((resolve) => {
        if (socket.destroyed) return resolve(false);
        if (patienceMs === undefined) return send(message, resolve);
        const stream = send(message, (isWanted) => {
          clearTimeout(timer);
          resolve(isWanted);
        });
        const timer = setTimeout(() => {
          open.delete(stream);
          socket.write(frame(FRAME.RST_STREAM, 0, stream, number32(CANCEL)));
          resolve(false);
        }, patienceMs);
      }),
    close: () => socket.destroy(),
  };
}

function number32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A frame of HTTP/2 as it stands on the wire (RFC 9113 section 4.1). */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** Tells of each frame that comes. */
export function readFrames(
  socket: Socket,
  onFrame: (type: number, flags: number, stream: number, payload: Buffer) => void,
): void {
  let buffered: Buffer = Buffer.alloc(0);
  socket.on("data", (chunk) => {
    buffered = buffered.length === 0 ? chunk : Buffer.concat([buffered, chunk]);
    let at = 0;
    while (buffered.length - at >= 9) {
      const end = at + 9 + buffered.readUIntBE(at, 3);
      if (buffered.length < end) break;
      const [type = 0, flags = 0] = [buffered[at + 3], buffered[at + 4]];
      onFrame(type, flags, buffered.readUInt32BE(at + 5), buffered.subarray(at + 9, end));
      at = end;
    }
    buffered = buffered.subarray(at);
  });
}

/** The request's headers as HPACK literals that no table remembers (RFC 7541 section 6.2.2): the same for each call. */
function headerBlock({ address, path, token }: GrpcTarget): Buffer {
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
  return literals(headers);
}

/** Headers as HPACK literals that no table remembers (RFC 7541 section 6.2.2). */
export const literals = (headers: Readonly<Record<string, string>>): Buffer =>
  Buffer.concat(
    Object.entries(headers).flatMap(([name, value]) => [Buffer.from([0]), hpackText(name), hpackText(value)]),
  );

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
