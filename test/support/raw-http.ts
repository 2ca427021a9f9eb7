import { connect, type Socket } from "node:net";

/** An HTTP/1.1 answer as it stood on the wire. */
export interface RawAnswer {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  readonly text: string;
  /** The body as JSON, or undefined when it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came back
  readonly body: any;
}

/** A connection on which a test writes whatever bytes it likes. */
export interface RawConnection {
  readonly socket: Socket;
  write(bytes: string | Uint8Array): void;
  /** The next answer. Rejects when the connection ends before a whole one has come. */
  answer(): Promise<RawAnswer>;
  /** Resolves when the connection has ended, by either side. */
  readonly closed: Promise<void>;
}

export async function rawConnection(url: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let received: Buffer = Buffer.alloc(0);
  let ended = false;
  let wake = () => {};
  socket.on("data", (chunk) => {
    received = Buffer.concat([received, chunk]);
    wake();
  });
  // A reset is one of the ways to be refused; the test sees it as the end.
  socket.on("error", () => {});
  const closed = new Promise<void>((resolve) =>
    socket.once("close", () => {
      ended = true;
      wake();
      resolve();
    }),
  );
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  return {
    socket,
    write: (bytes) => void socket.write(bytes),
    closed,
    async answer() {
      for (;;) {
        const taken = takeAnswer(received);
        if (taken !== undefined) {
          received = taken.rest;
          return taken.answer;
        }
        if (ended) throw new Error(`the connection ended after ${received.length} bytes`);
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

/** Sends one request and takes its answer. */
export async function rawRequest(url: string, bytes: string | Uint8Array): Promise<RawAnswer> {
  const connection = await rawConnection(url);
  try {
    connection.write(bytes);
    return await connection.answer();
  } finally {
    connection.socket.destroy();
  }
}

function takeAnswer(bytes: Buffer): { readonly answer: RawAnswer; readonly rest: Buffer } | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [statusLine = "", ...lines] = bytes.subarray(0, end).toString("latin1").split("\r\n");
  const headers = new Map(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const start = end + 4;
  const body =
    headers.get("transfer-encoding") === "chunked"
      ? takeChunks(bytes, start)
      : takeLength(bytes, start, headers);
  if (body === undefined) return undefined;
  const text = body.content.toString();
  const status = Number(statusLine.split(" ")[1]);
  return { answer: { status, headers, text, body: parse(text) }, rest: bytes.subarray(body.end) };
}

interface Body {
  readonly content: Buffer;
  /** Where the next answer begins. */
  readonly end: number;
}

function takeLength(bytes: Buffer, start: number, headers: ReadonlyMap<string, string>): Body | undefined {
  const end = start + Number(headers.get("content-length") ?? 0);
  return bytes.length < end ? undefined : { content: bytes.subarray(start, end), end };
}

function takeChunks(bytes: Buffer, start: number): Body | undefined {
  const chunks: Buffer[] = [];
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.subarray(at, lineEnd).toString("latin1"), 16);
    const from = lineEnd + 2;
    at = from + size + 2;
    if (bytes.length < at) return undefined;
    if (size === 0) return { content: Buffer.concat(chunks), end: at };
    chunks.push(bytes.subarray(from, from + size));
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
