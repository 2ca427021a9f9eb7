import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { type ServiceError, status as StatusCode } from "@grpc/grpc-js";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailureSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";
import { type Status, StatusSchema } from "../../gen/google/rpc/status_pb.ts";

/** What a call failed with, taken apart. */
export class KeyturnError extends Error {
  /** Name of the gRPC code, such as `NOT_FOUND`. */
  readonly code: string;
  /** Of `keyturn.v1.ErrorReason` without its prefix; undefined when the service gave none, as when it is out of reach. */
  readonly reason: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  /** Fields of the request that were refused, each with a sentence. */
  readonly violations: readonly FieldViolation[];
  /** Under which id the service has logged the call; undefined when it never came there. */
  readonly requestId: string | undefined;
  /** Milliseconds to wait before trying again, where the service says that this helps. */
  readonly retryDelayMs: number | undefined;

  constructor(message: string, facts: CallFailure) {
    super(message);
    this.name = "KeyturnError";
    this.code = facts.code;
    this.reason = facts.reason;
    this.metadata = facts.metadata;
    this.violations = facts.violations;
    this.requestId = facts.requestId;
    this.retryDelayMs = facts.retryDelayMs;
  }

  /** Whether the service said no, and would again: what else went wrong leaves the question open. */
  get isRefusal(): boolean {
    return !OPEN.has(this.code) || this.reason === "ETAG_MISMATCH";
  }
}

export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

interface CallFailure {
  readonly code: string;
  readonly reason: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly violations: readonly FieldViolation[];
  readonly requestId: string | undefined;
  readonly retryDelayMs: number | undefined;
}

/** Codes after which nobody knows: nothing was decided, or what was decided got lost. */
const OPEN: ReadonlySet<string> = new Set([
  "CANCELLED",
  "UNKNOWN",
  "DEADLINE_EXCEEDED",
  "ABORTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
]);

/** Reads the `google.rpc` details that stand in the trailers. */
export function toKeyturnError(err: ServiceError): KeyturnError {
  const status = statusOf(err);
  const detail = <T>(unpack: (any: Status["details"][number]) => T | undefined) =>
    status?.details.map(unpack).find((found) => found !== undefined);
  const info = detail((any) => anyUnpack(any, ErrorInfoSchema));
  const fields = detail((any) => anyUnpack(any, BadRequestSchema))?.fieldViolations ?? [];
  const preconditions = detail((any) => anyUnpack(any, PreconditionFailureSchema))?.violations ?? [];
  const delay = detail((any) => anyUnpack(any, RetryInfoSchema))?.retryDelay;
  const requestId = err.metadata?.get("x-request-id")[0];
  return new KeyturnError(status === undefined ? lastCause(err.details) : err.details, {
    code: StatusCode[err.code] ?? "UNKNOWN",
    reason: info?.reason,
    metadata: info?.metadata ?? {},
    violations: [
      ...fields.map(({ field, description }) => ({ field, description })),
      ...preconditions.map(({ subject, description }) => ({ field: subject, description })),
    ],
    requestId: typeof requestId === "string" ? requestId : undefined,
    retryDelayMs: delay === undefined ? undefined : Number(delay.seconds) * 1000 + delay.nanos / 1e6,
  });
}

/** grpc-js says of a connection that there is none, by which rule it chose it, and then why, once in each of its layers. */
const lastCause = (details: string): string =>
  details
    .replace(/^(?:\w+: )?(?:No connection established\. Last error: )+(?:Error: )?/, "")
    .replace(/\. Resolution note: $/, "");

function statusOf(err: ServiceError): Status | undefined {
  const bytes = err.metadata?.get("grpc-status-details-bin")[0];
  return Buffer.isBuffer(bytes) ? fromBinary(StatusSchema, bytes) : undefined;
}
