import { Code, ConnectError } from "@connectrpc/connect";
import type { Fault, FieldViolation, NeededRole } from "../domain/fault.ts";
import { refusalStatus, unseenStatus } from "./refusal-status.ts";
import { badRequest, retryInfo, type Status, status } from "./status.ts";

/**
 * One total switch: a new fault does not compile until it has a code, a reason and words. The words tell the caller what
 * to do next, and avoid `: , / ? # @ & = + $ ;`, which gRPC implementations escape in different ways.
 */
export function statusOf(fault: Fault): Status {
  switch (fault.kind) {
    case "unauthenticated":
      return status(
        Code.Unauthenticated,
        "UNAUTHENTICATED",
        "send a valid bearer token in the authorization header",
      );
    case "permission_denied":
      return fault.unseen === undefined
        ? status(
            Code.PermissionDenied,
            "PERMISSION_DENIED",
            `this call needs ${NEEDED[fault.needed]} role in the token`,
          )
        : unseenStatus(fault.unseen);
    case "invalid_argument":
      return status(
        Code.InvalidArgument,
        "INVALID_ARGUMENT",
        sentence(fault.violations),
        {},
        badRequest(fault.violations),
      );
    case "lock_timeout":
      return status(
        Code.Aborted,
        "LOCK_TIMEOUT",
        "other calls held the service account for too long and nothing was written - try again",
        {},
        retryInfo(100),
      );
    case "unavailable":
      return unavailableStatus(fault);
    case "deadline_exceeded":
      return status(Code.DeadlineExceeded, "DEADLINE_EXCEEDED", "the deadline ran out - allow more time");
    case "cancelled":
      return status(Code.Canceled, "CANCELLED", "the caller went away");
    case "internal":
      return status(Code.Internal, "INTERNAL", "the service failed - report the request id to its operators");
    case "invalid_request":
      return status(Code.InvalidArgument, "INVALID_REQUEST", fault.description);
    case "invalid_client":
      return status(
        Code.Unauthenticated,
        "INVALID_CLIENT",
        "client id and secret do not hold - check both and whether the secret has expired",
      );
    case "unsupported_grant_type":
      return status(
        Code.InvalidArgument,
        "UNSUPPORTED_GRANT_TYPE",
        "the only grant_type is client_credentials",
      );
    case "invalid_scope":
      return status(
        Code.InvalidArgument,
        "INVALID_SCOPE",
        "the scope that was asked for names something that the service account does not have",
      );
    case "too_many_attempts":
      return status(
        Code.ResourceExhausted,
        "TOO_MANY_ATTEMPTS",
        "too many wrong secrets came before this one - wait and check the secret",
        {},
        retryInfo(fault.retryDelayMs),
      );
    case "route_unknown":
      return status(
        Code.Unimplemented,
        "ROUTE_UNKNOWN",
        "no such method or path - compare it with the API reference",
      );
    case "method_not_allowed":
      return status(
        Code.Unimplemented,
        "METHOD_NOT_ALLOWED",
        `this path is there for ${fault.allowedMethods.join(" and ")} only`,
        { allowed_methods: fault.allowedMethods.join(",") },
      );
    case "content_type_unsupported":
      return status(
        Code.InvalidArgument,
        "CONTENT_TYPE_UNSUPPORTED",
        "send the body as application json in UTF-8 without a content encoding",
      );
    case "message_too_large":
      return status(
        Code.ResourceExhausted,
        "MESSAGE_TOO_LARGE",
        "the message is larger than this service accepts",
        { limit_bytes: String(fault.limitBytes) },
      );
    default:
      return refusalStatus(fault);
  }
}

const NEEDED: Readonly<Record<NeededRole, string>> = {
  tenant_administrator: "an administrator",
  verifier: "a verifier",
  verifier_or_administrator: "a verifier or administrator",
};

/** The fault as the error that Connect and gRPC-Web serialize. */
export function toConnectError(fault: Fault): ConnectError {
  const { code, message, details } = statusOf(fault);
  return new ConnectError(message, code, undefined, [...details]);
}

/** Milliseconds after which the caller may try again blindly; undefined where he should look first, or where it is no use. */
export function retryDelayMsOf(fault: Fault): number | undefined {
  if (fault.kind === "too_many_attempts") return fault.retryDelayMs;
  if (fault.kind === "unavailable") return fault.inDoubt ? undefined : fault.retryDelayMs;
  return fault.kind === "lock_timeout" ? 100 : undefined;
}

function unavailableStatus(fault: Extract<Fault, { kind: "unavailable" }>): Status {
  const retryDelayMs = retryDelayMsOf(fault);
  const details = retryDelayMs === undefined ? [] : [retryInfo(retryDelayMs)];
  switch (fault.part) {
    case "key_set":
      return status(
        Code.Unavailable,
        "KEY_SET_UNAVAILABLE",
        "the signing keys of the issuer cannot be had now - try again",
        {},
        ...details,
      );
    case "database":
      return status(
        Code.Unavailable,
        "DATABASE_UNAVAILABLE",
        fault.inDoubt
          ? "the answer of the database was lost so the call may have taken effect - list before you try again"
          : "the database cannot answer now - try again",
        { in_doubt: String(fault.inDoubt) },
        ...details,
      );
    case "signing_key":
      // They are kept in the database, so that is what is away, or does not have the ones that this server can open.
      return status(
        Code.Unavailable,
        "DATABASE_UNAVAILABLE",
        "the keys for access tokens cannot be had now - try again",
        { in_doubt: "false" },
        ...details,
      );
    case "database_queue":
    case "hash_queue":
    case "draining":
      return status(
        Code.Unavailable,
        "OVERLOADED",
        "more work waits than can be done in time - try again",
        {},
        ...details,
      );
  }
}

/** The first violation in words, unless it holds a caller's text or a pattern: then the details alone carry it. */
function sentence(violations: readonly FieldViolation[]): string {
  const [first] = violations;
  const text = first === undefined ? "" : `${first.field} ${first.description}`.trim();
  return PLAIN.test(text) ? text : "the request is not valid - see the violations in its details";
}

const PLAIN = /^[A-Za-z0-9 ._'()-]+$/;
