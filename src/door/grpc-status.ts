import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { Metadata, status as StatusCode, type StatusObject } from "@grpc/grpc-js";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import type { Fault } from "../domain/fault.ts";
import type { Call } from "../rpc/call.ts";
import { statusOf } from "../rpc/errors.ts";

const DETAILS_HEADER = "grpc-status-details-bin";

/** A fault as gRPC sends it: code, message, and a `google.rpc.Status` with the details in the trailers. */
function grpcStatusOf(fault: Fault, metadata: Metadata): StatusObject {
  const { code, message, details } = statusOf(fault);
  const packed = details.map(({ desc, value }) => anyPack(desc, value));
  const bytes = toBinary(StatusSchema, create(StatusSchema, { code, message, details: packed }));
  metadata.set(DETAILS_HEADER, Buffer.from(bytes));
  // Connect and grpc-js number the codes alike: both take them from google.rpc.Code.
  return { code: code as number as StatusCode, details: message, metadata };
}

/** What grpc-js refuses by itself as a fault of ours. */
export function faultOfStatus(code: StatusCode, messageBytesMax: number): Fault {
  switch (code) {
    case StatusCode.RESOURCE_EXHAUSTED:
      return { kind: "message_too_large", limitBytes: messageBytesMax };
    case StatusCode.UNIMPLEMENTED:
    case StatusCode.INTERNAL:
      return {
        kind: "invalid_argument",
        violations: [{ field: "", description: "the request is not one gRPC message" }],
      };
    default:
      return { kind: "internal" };
  }
}

/** What a call has failed with. */
export const answer = (call: Call): StatusObject =>
  grpcStatusOf(call.fault ?? { kind: "internal" }, withRequestId(call));

export function withRequestId(call: Call): Metadata {
  const metadata = new Metadata();
  metadata.set("x-request-id", call.requestId);
  return metadata;
}
