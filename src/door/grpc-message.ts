import type { ServerHttp2Stream } from "node:http2";
import { gunzipSync, inflateSync } from "node:zlib";
import { type Fault, FaultError, invalidArgument } from "../domain/fault.ts";

/** Of a message: whether it is compressed, and its length in four bytes. */
const PREFIX_BYTES = 5;

/** What `unpack` can read, as gRPC tells it to clients. */
export const ACCEPTED_ENCODINGS = "identity,deflate,gzip";

const UNPACKERS: ReadonlyMap<string, typeof gunzipSync> = new Map([
  ["gzip", gunzipSync],
  ["deflate", inflateSync],
]);

/** Gives the message, or throws the FaultError of what came instead: invalid_argument, message_too_large. */
export type ReadMessage = () => Uint8Array;

export interface MessageOptions {
  /** `grpc-encoding` of the call. */
  readonly encoding: string | undefined;
  /** On the wire and unpacked. */
  readonly bytesMax: number;
}

/**
 * Receives the one message of a unary call, and calls back once: when the client has said all, or as soon as it is clear that
 * what comes is no message of ours. Bytes that come after that are thrown away.
 */
export function receiveMessage(
  stream: ServerHttp2Stream,
  { encoding, bytesMax }: MessageOptions,
  done: (read: ReadMessage) => void,
): void {
  let received: Gathered | Buffer | undefined;
  let isDone = false;
  const end = (read: ReadMessage) => {
    if (isDone) return;
    isDone = true;
    received = undefined;
    done(read);
  };
  stream.on("data", (chunk: Buffer) => {
    if (isDone) return;
    received = received === undefined ? chunk : gather(received, chunk);
    const { length } = received;
    if (length < PREFIX_BYTES) return;
    const messageBytes = bytesOf(received).readUInt32BE(1);
    if (messageBytes > bytesMax) end(() => raise({ kind: "message_too_large", limitBytes: bytesMax }));
    else if (length > PREFIX_BYTES + messageBytes) end(refuseMessage);
  });
  const endOfStream = () => {
    // A reset without an error reads like an end, but whoever takes his call back has not said all.
    if (stream.closed) return;
    const bytes = received === undefined ? undefined : bytesOf(received);
    const isWhole = bytes !== undefined && bytes.length >= PREFIX_BYTES;
    if (!isWhole || bytes.length !== PREFIX_BYTES + bytes.readUInt32BE(1)) return end(refuseMessage);
    end(() => unpack(bytes, encoding, bytesMax));
  };
  // A call that has no body at all has ended before anybody listens.
  if (stream.readableEnded) endOfStream();
  else stream.on("end", endOfStream);
}

/** A message as gRPC sends it. */
export function framed(message: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  bytes[0] = 0;
  bytes.writeUInt32BE(message.length, 1);
  bytes.set(message, PREFIX_BYTES);
  return bytes;
}

/** What has come in several pieces: copied when it has doubled, so that a body of single bytes costs no more than another. */
interface Gathered {
  readonly space: Buffer;
  readonly length: number;
}

function gather(received: Gathered | Buffer, chunk: Buffer): Gathered {
  const length = received.length + chunk.length;
  const before = "space" in received ? received.space : received;
  const space = before.length >= length ? before : Buffer.allocUnsafe(length * 2);
  if (space !== before) before.copy(space, 0, 0, received.length);
  chunk.copy(space, received.length);
  return { space, length };
}

const bytesOf = (received: Gathered | Buffer): Buffer =>
  "space" in received ? received.space.subarray(0, received.length) : received;

/**
 * At once, not by a thread of libuv's: what comes out is no more than a message may have.
 * @throws FaultError message_too_large, invalid_argument.
 */
function unpack(bytes: Buffer, encoding: string | undefined, bytesMax: number): Uint8Array {
  const message = bytes.subarray(PREFIX_BYTES);
  if (bytes[0] === 0) return message;
  const unpacker = UNPACKERS.get(encoding ?? "");
  if (bytes[0] !== 1 || unpacker === undefined) return refuseMessage();
  try {
    return unpacker(message, { maxOutputLength: bytesMax });
  } catch (err) {
    const isLarge = (err as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE";
    return isLarge ? raise({ kind: "message_too_large", limitBytes: bytesMax }) : refuseMessage();
  }
}

function refuseMessage(): never {
  throw invalidArgument({ field: "", description: "the request is not one gRPC message" });
}

function raise(fault: Fault): never {
  throw new FaultError(fault);
}
