import { constants, type ServerHttp2Stream } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import type { Call } from "../rpc/call.ts";
import { statusOf } from "../rpc/errors.ts";
import { ACCEPTED_ENCODINGS } from "./grpc-message.ts";

const HEADERS = { ":status": 200, "content-type": "application/grpc+proto" };
const WITH_TRAILERS = { waitForTrailers: true };
const ALONE = { endStream: true };
const OK = { "grpc-status": 0 };

/** @param message with its prefix. */
export function answerMessage(stream: ServerHttp2Stream, { requestId }: Call, message: Buffer): void {
  if (isGone(stream)) return;
  const headers = { ...HEADERS, "grpc-accept-encoding": ACCEPTED_ENCODINGS, "x-request-id": requestId };
  stream.respond(headers, WITH_TRAILERS);
  stream.once("wantTrailers", sendOk);
  stream.end(message);
}

function sendOk(this: ServerHttp2Stream): void {
  this.sendTrailers(OK);
}

/**
 * What a call has failed with: code, message, and a `google.rpc.Status` with the details, all in the one block of headers that
 * gRPC calls "Trailers-Only".
 */
export function answerFault(stream: ServerHttp2Stream, call: Call): void {
  if (isGone(stream)) return;
  const { code, message, details } = statusOf(call.fault ?? { kind: "internal" });
  const packed = details.map(({ desc, value }) => anyPack(desc, value));
  const status = toBinary(StatusSchema, create(StatusSchema, { code, message, details: packed }));
  stream.respond(
    {
      ...HEADERS,
      "grpc-accept-encoding": ACCEPTED_ENCODINGS,
      "grpc-status": code,
      "grpc-message": encodeURI(message),
      "grpc-status-details-bin": Buffer.from(status).toString("base64"),
      "x-request-id": call.requestId,
    },
    ALONE,
  );
  endRequest(stream);
}

/** To what is no call of gRPC. */
export function refuseRequest(stream: ServerHttp2Stream, httpStatus: number): void {
  if (isGone(stream)) return;
  stream.respond({ ":status": httpStatus }, ALONE);
  endRequest(stream);
}

/**
 * Asks a client that has its answer and is still sending to stop (RFC 9113 section 8.1). Without that its stream would stay open for
 * as long as it likes, and hold a drain up. What is on its way is thrown away.
 */
function endRequest(stream: ServerHttp2Stream): void {
  if (stream.state.state === constants.NGHTTP2_STREAM_STATE_OPEN) stream.close(constants.NGHTTP2_NO_ERROR);
  stream.resume();
}

/** Whoever has gone away is not answered. */
const isGone = (stream: ServerHttp2Stream): boolean => stream.destroyed || stream.closed;
