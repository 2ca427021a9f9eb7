import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type OutgoingHttpHeaders,
} from "node:http2";
import { type Answer, answerOf, detailsOf } from "./doors.ts";

export const CREATE_PATH = "/keyturn.v1.CredentialService/CreateCredential";

/** An HTTP/2 connection to the gRPC door, without any gRPC library: a test sends whatever frames it likes. */
export interface RawGrpc {
  readonly session: ClientHttp2Session;
  /** Sends the headers of a call and leaves the rest to the test. */
  open(headers?: OutgoingHttpHeaders): ClientHttp2Stream;
  /** A call with these bytes as its body. */
  call(body: Uint8Array, headers?: OutgoingHttpHeaders): Promise<Answer>;
  close(): void;
}

export function rawGrpc(address: string): RawGrpc {
  // What should be single may come twice: Node sends that only when it is told so, which its types do not know.
  const session = connect(`http://${address}`, { strictSingleValueFields: false } as object);
  session.on("error", () => {});
  const open = (headers: OutgoingHttpHeaders = {}) =>
    session.request({
      ":method": "POST",
      ":path": CREATE_PATH,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
  return {
    session,
    open,
    call(body, headers) {
      const stream = open(headers);
      const answer = grpcAnswer(stream);
      stream.end(body);
      return answer;
    },
    close: () => session.destroy(),
  };
}

/** How a call ended, told as soon as the server has said all. `code` is -1 when it ended without a gRPC status; then `httpStatus` may say more. */
export function grpcAnswer(stream: ClientHttp2Stream): Promise<Answer> {
  let headers: Record<string, unknown> = {};
  stream.on("response", (received) => {
    headers = { ...headers, ...received };
  });
  stream.on("trailers", (received) => {
    headers = { ...headers, ...received };
  });
  stream.on("error", () => {});
  stream.resume();
  return new Promise((resolve) => {
    const settle = () => {
      const header = (name: string) => headers[name]?.toString();
      const status = header("grpc-status");
      const packed = header("grpc-status-details-bin");
      resolve(
        answerOf({
          code: status === undefined ? -1 : Number(status),
          message: decodeURI(header("grpc-message") ?? ""),
          details: packed === undefined ? [] : detailsOf(Buffer.from(packed, "base64")),
          header,
          httpStatus: Number(header(":status") ?? 0),
        }),
      );
    };
    stream.once("end", settle).once("close", settle);
  });
}

/** A message with its gRPC prefix: a flag and four bytes of length. */
export function frame(message: Uint8Array, options: { flag?: number; length?: number } = {}): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(options.flag ?? 0, 0);
  prefix.writeUInt32BE(options.length ?? message.length, 1);
  return Buffer.concat([prefix, message]);
}
