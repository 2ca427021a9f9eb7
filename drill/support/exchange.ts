import { rawConnection } from "../../test/support/raw-http.ts";

/** What came back on a connection until its end. */
export interface Exchanged {
  /** Of HTTP/1.1; 0 where there was no answer of that kind. */
  readonly status: number;
  readonly text: string;
}

/**
 * Sends these bytes, whatever they are, and waits for the end of the connection.
 * @param isAll says that nothing more will come: whoever still waits for something hears of that.
 */
export async function exchange(
  address: string,
  bytes: string | Uint8Array,
  isAll = false,
): Promise<Exchanged> {
  const connection = await rawConnection(`http://${address}`);
  connection.write(bytes);
  if (isAll) connection.socket.end();
  const chunks: Buffer[] = [];
  connection.socket.on("data", (chunk) => chunks.push(chunk));
  await connection.closed;
  const text = Buffer.concat(chunks).toString();
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), text };
}

/** A request of HTTP/1.1 that is the only one of its connection. */
export function requestText(line: string, headers: readonly string[], body = ""): string {
  const length = body === "" ? [] : ["content-type: application/json", `content-length: ${body.length}`];
  return `${[`${line} HTTP/1.1`, "host: localhost", "connection: close", ...length, ...headers].join("\r\n")}\r\n\r\n${body}`;
}
