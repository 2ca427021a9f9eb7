/**
 * Everything that can go wrong on purpose, as one closed union. A fault carries facts, never words or codes:
 * `rpc/errors.ts` is the one place that turns it into a status, a reason and a sentence.
 */

/** A field of the request that broke a rule. `field` is the proto field path (`expires_at`). */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

/** Why a bearer token, or a client certificate in its place, was refused. Goes to the log and to metrics, never to the caller. */
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
  | "claims"
  | "certificate";

/** The part of the service, or beside it, that could not do its work now. */
export type UnavailablePart =
  | "database"
  | "database_queue"
  | "hash_queue"
  | "key_set"
  | "signing_key"
  | "draining";

/** What a caller may name by an id. */
export type ResourceType = "ServiceAccount" | "Credential" | "Organization";

/** The role that a caller lacks, by its name in the access table. */
export type NeededRole = "tenant_administrator" | "verifier" | "verifier_or_administrator";

export type Fault =
  | { readonly kind: "unauthenticated"; readonly refusal: TokenRefusal }
  /** Told as `not_found` where the caller must not learn what exists: then it says of what kind that is. */
  | {
      readonly kind: "permission_denied";
      readonly needed: NeededRole;
      readonly unseen: ResourceType | undefined;
    }
  | { readonly kind: "invalid_argument"; readonly violations: readonly FieldViolation[] }
  | {
      readonly kind: "not_found" | "already_exists";
      readonly resourceType: ResourceType;
      readonly id: string;
    }
  | { readonly kind: "role_not_grantable"; readonly roles: readonly string[] }
  | { readonly kind: "etag_mismatch" | "credential_creation_denied" | "request_id_reused" }
  | { readonly kind: "credential_not_active"; readonly status: string }
  /** `latest`: when the old credential ends by itself. */
  | { readonly kind: "grace_period_above_maximum"; readonly latest: Date }
  | { readonly kind: "not_before_after_expiry"; readonly expiresAt: Date }
  | {
      readonly kind: "policy_out_of_bounds";
      /** Proto name of the field, and the bound that it misses. */
      readonly field: string;
      readonly minimum: number | undefined;
      readonly maximum: number | undefined;
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
  /** What RFC 6749 calls so. */
  | { readonly kind: "invalid_request"; readonly description: string }
  | { readonly kind: "invalid_client" | "unsupported_grant_type" | "invalid_scope" }
  /** Too many wrong secrets came before. */
  | { readonly kind: "too_many_attempts"; readonly retryDelayMs: number }
  | { readonly kind: "route_unknown" }
  | { readonly kind: "method_not_allowed"; readonly allowedMethods: readonly string[] }
  | { readonly kind: "content_type_unsupported" }
  | { readonly kind: "message_too_large"; readonly limitBytes: number }
  | { readonly kind: "deadline_exceeded" }
  | { readonly kind: "cancelled" }
  | { readonly kind: "internal" };

/** The only error class that the service throws on purpose. `message` is the kind, so a stray print leaks nothing. */
export class FaultError extends Error {
  readonly fault: Fault;
  /** Whether the audit trail has it already: the database refused, and wrote that down in the same statement. */
  readonly isRecorded: boolean;

  constructor(fault: Fault, options: { cause?: unknown; isRecorded?: boolean } = {}) {
    const limit = Error.stackTraceLimit;
    // Only a defect is looked for by its trace, which is a seventh of what a refusal costs.
    if (fault.kind !== "internal") Error.stackTraceLimit = 0;
    super(fault.kind, options.cause === undefined ? undefined : { cause: options.cause });
    Error.stackTraceLimit = limit;
    this.name = "FaultError";
    this.fault = fault;
    this.isRecorded = options.isRecorded ?? false;
  }
}

export const unauthenticated = (refusal: TokenRefusal): FaultError =>
  new FaultError({ kind: "unauthenticated", refusal });

/** @param unseen what the caller must not learn of, when the answer is to hide that. */
export const permissionDenied = (needed: NeededRole, unseen?: ResourceType): FaultError =>
  new FaultError({ kind: "permission_denied", needed, unseen });

export const invalidArgument = (...violations: FieldViolation[]): FaultError =>
  new FaultError({ kind: "invalid_argument", violations });

export const serviceAccountNotFound = (id: string): FaultError =>
  new FaultError({ kind: "not_found", resourceType: "ServiceAccount", id });

export const credentialNotFound = (id: string): FaultError =>
  new FaultError({ kind: "not_found", resourceType: "Credential", id });

export const organizationNotFound = (id: string): FaultError =>
  new FaultError({ kind: "not_found", resourceType: "Organization", id });

/** What the database refused, and has recorded. */
export const refused = (fault: Fault): FaultError => new FaultError(fault, { isRecorded: true });

export const tooManyAttempts = (retryDelayMs: number): FaultError =>
  new FaultError({ kind: "too_many_attempts", retryDelayMs });

/** @param description what is wrong with the request, without anything of it. */
export const invalidRequest = (description: string): FaultError =>
  new FaultError({ kind: "invalid_request", description });

/** @param retryDelayMs how long a caller should wait before it tries again, sent as RetryInfo. */
export const unavailable = (
  part: UnavailablePart,
  retryDelayMs: number,
  options: { inDoubt?: boolean; cause?: unknown } = {},
): FaultError =>
  new FaultError(
    { kind: "unavailable", part, retryDelayMs, inDoubt: options.inDoubt ?? false },
    { cause: options.cause },
  );

/** The reason of an aborted signal as a fault: the deadline ran out, or the caller has gone. */
export const abortFault = (signal: AbortSignal): FaultError =>
  signal.reason instanceof FaultError ? signal.reason : new FaultError({ kind: "cancelled" });

/** Whether a statement that failed so has certainly written nothing. After a cancel, a deadline or a lost answer nobody knows. */
export function isCertainlyUnwritten(err: unknown): boolean {
  if (!(err instanceof FaultError)) return false;
  return err.fault.kind === "lock_timeout" || (err.fault.kind === "unavailable" && !err.fault.inDoubt);
}
