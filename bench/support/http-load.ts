import { connect, type Socket } from "node:net";
import { summarize } from "./summary.ts";
import type { LoadResult } from "./turns.ts";

/** Requests that a load sends, as bytes on the wire: each connection takes them in turn. */
export interface HttpLoad {
  readonly url: string;
  readonly requests: readonly Buffer[];
  readonly connections: number;
}

/** An HTTP/1.1 POST with a body, byte by byte: a client library would cost the load generator more than the server. */
export function postRequest(
  url: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body: string,
): Buffer {
  const lines = [
    `POST ${path} HTTP/1.1`,
    `host: ${new URL(url).host}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${body}`);
}

/** An HTTP/1.1 GET, byte by byte. */
export function getRequest(url: string, path: string, headers: Readonly<Record<string, string>>): Buffer {
  const fields = Object.entries({ host: new URL(url).host, ...headers });
  const lines = [`GET ${path} HTTP/1.1`, ...fields.map(([name, value]) => `${name}: ${value}`)];
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`);
}

/** Closed loop: each connection sends its next request as soon as it has the answer to the last. */
export async function runHttpLoad(load: HttpLoad, durationMs: number): Promise<LoadResult> {
  const until = performance.now() + durationMs;
  const latencies: number[] = [];
  let failures = 0;
  const onAnswer = (status: number, tookMs: number) => {
    latencies.push(tookMs);
    if (status !== 200) failures += 1;
  };
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: load.connections }, (_, index) => loop(load, index, until, onAnswer)),
  );
  return summarize(latencies, failures, performance.now() - startedAt);
}

async function loop(
  { url, requests, connections }: HttpLoad,
  index: number,
  until: number,
  onAnswer: (status: number, tookMs: number) => void,
): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  const answers = readAnswers(socket);
  // Each goes through all of them, and no two are at the same one.
  const first = Math.floor((index * requests.length) / connections);
  for (let turn = first; performance.now() < until; turn += 1) {
    const sentAt = performance.now();
    socket.write(requests[turn % requests.length] as Buffer);
    onAnswer(await answers.next(), performance.now() - sentAt);
  }
  socket.destroy();
}

/** The statuses of answers with a Content-Length, or in chunks, one after the other. */
function readAnswers(socket: Socket) {
  let buffered: Buffer = Buffer.alloc(0);
  let waiting: { resolve(status: number): void; reject(err: Error): void } | undefined;
  const look = () => {
    const end = buffered.indexOf("\r\n\r\n");
    if (end < 0 || waiting === undefined) return;
    const head = buffered.toString("latin1", 0, end).toLowerCase();
    const [, length] = /\r\ncontent-length: (\d+)/.exec(head) ?? [];
    const bodyEnd = length === undefined ? chunkedEnd(buffered, end + 4) : end + 4 + Number(length);
    if (bodyEnd < 0 || buffered.length < bodyEnd) return;
    buffered = buffered.subarray(bodyEnd);
    const { resolve } = waiting;
    waiting = undefined;
    resolve(Number(head.slice(9, 12)));
  };
  socket.on("data", (chunk) => {
    buffered = buffered.length === 0 ? chunk : Buffer.concat([buffered, chunk]);
    look();
  });
  socket.on("close", () => waiting?.reject(new Error("the server closed the connection")));
  socket.on("error", () => {});
  return {
    next: () =>
      new Promise<number>((resolve, reject) => {
        waiting = { resolve, reject };
        look();
      }),
  };
}

function chunkedEnd(bytes: Buffer, from: number): number {
  const last = bytes.indexOf("0\r\n\r\n", from);
  return last < 0 ? -1 : last + 5;
}
