/**
 * Everything that can go wrong on purpose, as one closed union. A fault carries facts, never words or codes:
 * `rpc/errors.ts` is the one place that turns it into a status, a reason and a sentence.
 */

/** A field of the request that broke a rule. `field` is the proto field path (`expires_at`). */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

/** Why a bearer token was refused. Goes to the log and to metrics, never to the caller. */
export type TokenRefusal =
  | "missing"
  | "malformed"
  | "algorithm"
  | "type"
  | "issuer"
  | "audience"
  | "key_unknown"
  | "signature"
  | "expired"
  | "not_yet_valid"
  | "claims";

/** The part of the service, or beside it, that could not do its work now. */
export type UnavailablePart = "database" | "database_queue" | "hash_queue" | "key_set" | "draining";

export type Fault =
  | { readonly kind: "unauthenticated"; readonly refusal: TokenRefusal }
  | { readonly kind: "permission_denied" }
  | { readonly kind: "invalid_argument"; readonly violations: readonly FieldViolation[] }
  | {
      readonly kind: "not_found";
      readonly resourceType: "ServiceAccount" | "Credential";
      readonly id: string;
    }
  | {
      readonly kind: "expiry_in_past" | "expiry_below_minimum" | "expiry_above_maximum";
      /** The instant that was missed: now, the earliest or the latest one allowed. */
      readonly bound: Date;
      /** The lifetime in seconds that the bound comes from. */
      readonly boundSeconds: number;
    }
  | {
      readonly kind: "credential_limit_reached";
      readonly serviceAccountId: string;
      readonly limit: number;
      readonly activeCount: number;
      /** Id of the active credential that was never used, else least recently used. */
      readonly safestToDelete: string;
    }
  | { readonly kind: "lock_timeout" }
  | {
      readonly kind: "unavailable";
      readonly part: UnavailablePart;
      readonly retryDelayMs: number;
      /** The statement may have been committed although its answer was lost. */
      readonly inDoubt: boolean;
    }
  | { readonly kind: "route_unknown" }
  | { readonly kind: "method_not_allowed"; readonly allowedMethods: readonly string[] }
  | { readonly kind: "content_type_unsupported" }
  | { readonly kind: "message_too_large"; readonly limitBytes: number }
  | { readonly kind: "deadline_exceeded" }
  | { readonly kind: "cancelled" }
  | { readonly kind: "internal" };

export type ExpiryFault = Extract<
  Fault,
  { kind: "expiry_in_past" | "expiry_below_minimum" | "expiry_above_maximum" }
>;

/** The only error class that the service throws on purpose. `message` is the kind, so a stray print leaks nothing. */
export class FaultError extends Error {
  readonly fault: Fault;

  constructor(fault: Fault, options?: { cause?: unknown }) {
    super(fault.kind, options);
    this.name = "FaultError";
    this.fault = fault;
  }
}

export const unauthenticated = (refusal: TokenRefusal): FaultError =>
  new FaultError({ kind: "unauthenticated", refusal });

export const permissionDenied = (): FaultError => new FaultError({ kind: "permission_denied" });

export const invalidArgument = (...violations: FieldViolation[]): FaultError =>
  new FaultError({ kind: "invalid_argument", violations });

export const serviceAccountNotFound = (id: string): FaultError =>
  new FaultError({ kind: "not_found", resourceType: "ServiceAccount", id });

export const credentialLimitReached = (
  serviceAccountId: string,
  found: { readonly limit: number; readonly activeCount: number; readonly safestToDelete: string },
): FaultError =>
  new FaultError({
    kind: "credential_limit_reached",
    serviceAccountId,
    limit: found.limit,
    activeCount: found.activeCount,
    safestToDelete: found.safestToDelete,
  });

export const expiryRefused = (found: ExpiryFault): FaultError => new FaultError(found);

/** @param retryDelayMs how long a caller should wait before it tries again, sent as RetryInfo. */
export const unavailable = (
  part: UnavailablePart,
  retryDelayMs: number,
  options: { inDoubt?: boolean; cause?: unknown } = {},
): FaultError =>
  new FaultError(
    { kind: "unavailable", part, retryDelayMs, inDoubt: options.inDoubt ?? false },
    options.cause === undefined ? undefined : { cause: options.cause },
  );

/** The reason of an aborted signal as a fault: the deadline ran out, or the caller has gone. */
export const abortFault = (signal: AbortSignal): FaultError =>
  signal.reason instanceof FaultError ? signal.reason : new FaultError({ kind: "cancelled" });

/** Whether a statement that failed so has certainly written nothing. After a cancel, a deadline or a lost answer nobody knows. */
export function isCertainlyUnwritten(err: unknown): boolean {
  if (!(err instanceof FaultError)) return false;
  return err.fault.kind === "lock_timeout" || (err.fault.kind === "unavailable" && !err.fault.inDoubt);
}
