import {
  create,
  createRegistry,
  fromBinary,
  type JsonObject,
  type MessageInitShape,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { type Any, AnySchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { Metadata, type ServiceError } from "@grpc/grpc-js";
import { file_google_rpc_error_details } from "../../gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { CreateCredentialRequestSchema } from "../../gen/keyturn/v1/credential_service_pb.ts";
import type { ErrorReason } from "../../gen/keyturn/v1/error_reason_pb.ts";
import { connectClient, credentialsPath, grpcClient, rest } from "./clients.ts";

export type Create = MessageInitShape<typeof CreateCredentialRequestSchema>;

/** Where the doors are. */
export interface DoorAddresses {
  readonly httpUrl: string;
  readonly grpcAddress: string;
}

/** One `google.rpc` message of an error, as proto JSON with its type: alike whichever door it came through. */
export type DetailJson = JsonObject & { readonly "@type": string };

/** What a caller hears, brought to one form. `code` is 0 when the call succeeded. */
export interface Answer {
  readonly code: number;
  readonly message: string;
  readonly details: readonly DetailJson[];
  /** Reason of the ErrorInfo; empty on success. */
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** Response headers, over gRPC the metadata and trailers. */
  readonly header: (name: string) => string | undefined;
  /** Of the REST edge and the Connect protocol. */
  readonly httpStatus: number | undefined;
  readonly clientSecret: string | undefined;
}

export interface CallHeaders {
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface DoorUnderTest {
  readonly name: "REST" | "Connect JSON" | "Connect proto" | "gRPC-Web" | "gRPC";
  create(at: DoorAddresses, req: Create, call?: CallHeaders): Promise<Answer>;
}

/** The five ways to one RPC, each through a client of its own kind. */
export const DOORS: readonly DoorUnderTest[] = [
  { name: "REST", create: overRest },
  { name: "Connect JSON", create: (...args) => overConnect("connect-json", ...args) },
  { name: "Connect proto", create: (...args) => overConnect("connect-proto", ...args) },
  { name: "gRPC-Web", create: (...args) => overConnect("grpc-web", ...args) },
  { name: "gRPC", create: overGrpc },
];

const headersOf = ({ token, headers }: CallHeaders): Record<string, string> => ({
  ...headers,
  ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
});

async function overRest(at: DoorAddresses, req: Create, call: CallHeaders = {}): Promise<Answer> {
  const json = toJson(
    CreateCredentialRequestSchema,
    create(CreateCredentialRequestSchema, req),
  ) as JsonObject;
  const { serviceAccountId = "", ...body } = json;
  const path = credentialsPath(encodeURIComponent(String(serviceAccountId)));
  const headers = { "content-type": "application/json", ...headersOf(call) };
  const res = await rest(at, path, { method: "POST", headers, body: JSON.stringify(body) });
  return fromRest(res.status, res.headers, res.body);
}

/** Reads an answer of the REST edge. */
export function fromRest(httpStatus: number, headers: Headers, body: unknown): Answer {
  const header = (name: string) => headers.get(name) ?? undefined;
  const { error, clientSecret } = (body ?? {}) as { error?: RestError; clientSecret?: string };
  if (error === undefined) return answerOf({ code: 0, details: [], header, httpStatus, clientSecret });
  const details = error.details as DetailJson[];
  // The envelope carries the HTTP status; which code it stands for is what its reason says.
  return answerOf({ code: codeOfReason(details), message: error.message, details, header, httpStatus });
}

interface RestError {
  readonly code: number;
  readonly message: string;
  readonly details: readonly JsonObject[];
}

async function overConnect(
  protocol: Parameters<typeof connectClient>[1],
  at: DoorAddresses,
  req: Create,
  call: CallHeaders = {},
): Promise<Answer> {
  let header = (_name: string): string | undefined => undefined;
  const onHeader = (headers: Headers) => {
    header = (name) => headers.get(name) ?? undefined;
  };
  try {
    const res = await connectClient(at, protocol).createCredential(req, {
      headers: headersOf(call),
      onHeader,
    });
    return answerOf({ code: 0, details: [], header, clientSecret: res.clientSecret });
  } catch (err) {
    if (!(err instanceof ConnectError)) throw err;
    const packed = err.details.map((detail) => {
      if (!("type" in detail)) throw new Error("a detail did not come over the wire");
      return create(AnySchema, { typeUrl: `type.googleapis.com/${detail.type}`, value: detail.value });
    });
    header = (name) => err.metadata.get(name) ?? undefined;
    return answerOf({ code: err.code, message: err.rawMessage, details: packed.map(unpack), header });
  }
}

async function overGrpc(at: DoorAddresses, req: Create, call: CallHeaders = {}): Promise<Answer> {
  const client = grpcClient(at.grpcAddress);
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headersOf(call))) metadata.set(name, value);
  try {
    const res = await client.createCredential(req, { metadata });
    return answerOf({ code: 0, details: [], header: () => undefined, clientSecret: res.clientSecret });
  } catch (err) {
    const failed = err as ServiceError;
    if (failed.metadata === undefined) throw err;
    const header = (name: string) => failed.metadata.get(name)[0]?.toString();
    const [bytes] = failed.metadata.get("grpc-status-details-bin");
    const details = bytes === undefined ? [] : detailsOf(bytes as Buffer);
    return answerOf({ code: failed.code, message: failed.details, details, header });
  } finally {
    client.close();
  }
}

const registry = createRegistry(file_google_rpc_error_details);

/** Details of a serialized `google.rpc.Status`. */
export const detailsOf = (bytes: Uint8Array): DetailJson[] =>
  fromBinary(StatusSchema, bytes).details.map(unpack);

const unpack = (any: Any): DetailJson => toJson(AnySchema, any, { registry }) as DetailJson;

const ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo";

interface AnswerParts extends Pick<Answer, "code" | "details" | "header"> {
  readonly message?: string;
  readonly httpStatus?: number | undefined;
  readonly clientSecret?: string | undefined;
}

export function answerOf(parts: AnswerParts): Answer {
  const info = parts.details.find((detail) => detail["@type"] === ERROR_INFO) as
    | { readonly reason: string; readonly metadata?: Record<string, string> }
    | undefined;
  return {
    message: "",
    httpStatus: undefined,
    clientSecret: undefined,
    ...parts,
    reason: info?.reason ?? "",
    metadata: info?.metadata ?? {},
  };
}

/** By the published table of proto/keyturn/v1/error_reason.proto. It does not compile with one missing. */
const CODE_BY_REASON: Readonly<Record<Exclude<keyof typeof ErrorReason, "UNSPECIFIED">, Code>> = {
  UNAUTHENTICATED: Code.Unauthenticated,
  PERMISSION_DENIED: Code.PermissionDenied,
  INVALID_ARGUMENT: Code.InvalidArgument,
  NOT_FOUND: Code.NotFound,
  EXPIRY_IN_PAST: Code.InvalidArgument,
  EXPIRY_BELOW_MINIMUM: Code.InvalidArgument,
  EXPIRY_ABOVE_MAXIMUM: Code.InvalidArgument,
  CREDENTIAL_LIMIT_REACHED: Code.ResourceExhausted,
  LOCK_TIMEOUT: Code.Aborted,
  OVERLOADED: Code.Unavailable,
  DATABASE_UNAVAILABLE: Code.Unavailable,
  KEY_SET_UNAVAILABLE: Code.Unavailable,
  DEADLINE_EXCEEDED: Code.DeadlineExceeded,
  CANCELLED: Code.Canceled,
  INTERNAL: Code.Internal,
  ROUTE_UNKNOWN: Code.Unimplemented,
  METHOD_NOT_ALLOWED: Code.Unimplemented,
  CONTENT_TYPE_UNSUPPORTED: Code.InvalidArgument,
  MESSAGE_TOO_LARGE: Code.ResourceExhausted,
  ALREADY_EXISTS: Code.AlreadyExists,
  ROLE_NOT_GRANTABLE: Code.InvalidArgument,
  ETAG_MISMATCH: Code.Aborted,
  CREDENTIAL_CREATION_DENIED: Code.FailedPrecondition,
  CREDENTIAL_NOT_ACTIVE: Code.FailedPrecondition,
  GRACE_PERIOD_ABOVE_MAXIMUM: Code.InvalidArgument,
  NOT_BEFORE_AFTER_EXPIRY: Code.InvalidArgument,
  REQUEST_ID_REUSED: Code.InvalidArgument,
  POLICY_OUT_OF_BOUNDS: Code.InvalidArgument,
  INVALID_REQUEST: Code.InvalidArgument,
  UNSUPPORTED_GRANT_TYPE: Code.InvalidArgument,
  INVALID_SCOPE: Code.InvalidArgument,
  INVALID_CLIENT: Code.Unauthenticated,
  TOO_MANY_ATTEMPTS: Code.ResourceExhausted,
};

function codeOfReason(details: readonly DetailJson[]): number {
  const info = details.find((detail) => detail["@type"] === ERROR_INFO);
  const codes: Readonly<Record<string, Code>> = CODE_BY_REASON;
  return codes[String(info?.["reason"])] ?? -1;
}

/** The detail of one type, such as "BadRequest", without that type. */
export function detailNamed(answer: Answer, name: string): JsonObject | undefined {
  const found = answer.details.find((detail) => detail["@type"] === `type.googleapis.com/google.rpc.${name}`);
  if (found === undefined) return undefined;
  const { "@type": _type, ...rest } = found;
  return rest;
}

/** Names of the fields that a BadRequest complains of. */
export function violatedFields(answer: Answer): string[] {
  const violations = (detailNamed(answer, "BadRequest")?.["fieldViolations"] ?? []) as { field?: string }[];
  return violations.map(({ field = "" }) => field);
}

/** A message in its binary form. */
export const encodeCreate = (req: Create): Buffer =>
  Buffer.from(toBinary(CreateCredentialRequestSchema, create(CreateCredentialRequestSchema, req)));
