import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import { type JsonObject, type JsonValue, toJson } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import type { Fault } from "../domain/fault.ts";
import { retryDelayMsOf, statusOf } from "../rpc/errors.ts";
import type { Reason, Status } from "../rpc/status.ts";

/** HTTP status of a code, as `google.rpc.Code` maps them. */
const STATUS_BY_CODE: Record<Code, number> = {
  [Code.Canceled]: 499,
  [Code.Unknown]: 500,
  [Code.InvalidArgument]: 400,
  [Code.DeadlineExceeded]: 504,
  [Code.NotFound]: 404,
  [Code.AlreadyExists]: 409,
  [Code.PermissionDenied]: 403,
  [Code.ResourceExhausted]: 429,
  [Code.FailedPrecondition]: 400,
  [Code.Aborted]: 409,
  [Code.OutOfRange]: 400,
  [Code.Unimplemented]: 501,
  [Code.Internal]: 500,
  [Code.Unavailable]: 503,
  [Code.DataLoss]: 500,
  [Code.Unauthenticated]: 401,
};

/** Reasons that the REST edge answers with a status of their own (docs/adr/0006). */
const STATUS_BY_REASON: Partial<Record<Reason, number>> = {
  CREDENTIAL_LIMIT_REACHED: 409,
  ROLE_NOT_GRANTABLE: 422,
  NOT_BEFORE_AFTER_EXPIRY: 422,
  GRACE_PERIOD_ABOVE_MAXIMUM: 422,
  POLICY_OUT_OF_BOUNDS: 422,
  EXPIRY_IN_PAST: 422,
  EXPIRY_BELOW_MINIMUM: 422,
  EXPIRY_ABOVE_MAXIMUM: 422,
  ROUTE_UNKNOWN: 404,
  METHOD_NOT_ALLOWED: 405,
  CONTENT_TYPE_UNSUPPORTED: 415,
  MESSAGE_TOO_LARGE: 413,
};

export const httpStatusOf = (status: Status): number =>
  STATUS_BY_REASON[status.reason] ?? STATUS_BY_CODE[status.code];

/** Headers that every answer of this door carries: nothing of it may be kept by a cache. */
export function commonHeaders(requestId: string): OutgoingHttpHeaders {
  return { "cache-control": "no-store", "x-content-type-options": "nosniff", "x-request-id": requestId };
}

/** Headers that say at the HTTP level what the fault says in the body. */
export function faultHeaders(fault: Fault): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {};
  if (fault.kind === "unauthenticated") {
    // RFC 6750 §3: no error code when no token was sent.
    headers["www-authenticate"] =
      fault.refusal === "missing"
        ? 'Bearer realm="keyturn"'
        : 'Bearer realm="keyturn", error="invalid_token"';
  }
  if (fault.kind === "invalid_client") headers["www-authenticate"] = 'Basic realm="keyturn", charset="UTF-8"';
  if (fault.kind === "permission_denied" && fault.unseen === undefined) {
    headers["www-authenticate"] = 'Bearer realm="keyturn", error="insufficient_scope"';
  }
  if (fault.kind === "method_not_allowed") headers["allow"] = fault.allowedMethods.join(", ");
  const retryDelayMs = retryDelayMsOf(fault);
  if (retryDelayMs !== undefined)
    headers["retry-after"] = String(Math.max(1, Math.ceil(retryDelayMs / 1000)));
  return headers;
}

/** The REST edge's error envelope: `{"error":{"code":<HTTP status>,"message":"…","details":[…]}}`. */
export function errorEnvelope(
  fault: Fault,
  httpStatus = httpStatusOf(statusOf(fault)),
): { readonly httpStatus: number; readonly body: JsonObject } {
  const status = statusOf(fault);
  const details = status.details.map(({ desc, value }) => ({
    "@type": `type.googleapis.com/${desc.typeName}`,
    ...(toJson(desc, value) as JsonObject),
  }));
  return { httpStatus, body: { error: { code: httpStatus, message: status.message, details } } };
}

export function sendJson(
  res: ServerResponse,
  httpStatus: number,
  headers: OutgoingHttpHeaders,
  body: JsonValue,
): void {
  const text = JSON.stringify(body);
  res.writeHead(httpStatus, {
    ...headers,
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
  });
  res.end(text);
}

export function sendFault(res: ServerResponse, requestId: string, fault: Fault): void {
  const { httpStatus, body } = errorEnvelope(fault);
  sendJson(res, httpStatus, { ...commonHeaders(requestId), ...faultHeaders(fault) }, body);
}
