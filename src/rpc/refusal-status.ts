import { Code } from "@connectrpc/connect";
import {
  PreconditionFailureSchema,
  QuotaFailureSchema,
  ResourceInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";
import type { Fault, ResourceType } from "../domain/fault.ts";
import { badRequest, type Detail, detail, type Reason, type Status, status } from "./status.ts";

/** Faults that say no to what was asked for, as the rules of accounts, credentials and policies have it. */
type Refusal = Extract<
  Fault,
  {
    kind:
      | "not_found"
      | "already_exists"
      | "role_not_grantable"
      | "etag_mismatch"
      | "credential_creation_denied"
      | "credential_not_active"
      | "request_id_reused"
      | "grace_period_above_maximum"
      | "not_before_after_expiry"
      | "policy_out_of_bounds"
      | "expiry_in_past"
      | "expiry_below_minimum"
      | "expiry_above_maximum"
      | "credential_limit_reached";
  }
>;

/** The part of `statusOf` that is about those rules: as total as the whole. */
export function refusalStatus(fault: Refusal): Status {
  switch (fault.kind) {
    case "not_found":
      return status(
        Code.NotFound,
        "NOT_FOUND",
        `${words(fault.resourceType)} ${fault.id} does not exist in this organization`,
        {},
        resourceInfo(fault.resourceType, fault.id),
      );
    case "already_exists":
      return status(
        Code.AlreadyExists,
        "ALREADY_EXISTS",
        `${words(fault.resourceType)} ${fault.id} exists already - take another id`,
        {},
        resourceInfo(fault.resourceType, fault.id),
      );
    case "role_not_grantable":
      return fieldStatus(
        "ROLE_NOT_GRANTABLE",
        "roles",
        "holds a role that you do not hold - leave it out or ask somebody who holds it",
        { roles: fault.roles.join(",") },
      );
    case "etag_mismatch":
      return status(
        Code.Aborted,
        "ETAG_MISMATCH",
        "it has changed since you read it and nothing was written - read it again",
      );
    case "credential_creation_denied":
      return precondition(
        "CREDENTIAL_CREATION_DENIED",
        "the policy of the organization allows no new credentials now - change the policy first",
      );
    case "credential_not_active":
      return precondition(
        "CREDENTIAL_NOT_ACTIVE",
        `the credential is ${fault.status} and cannot be rotated - create one`,
        { status: fault.status },
      );
    case "request_id_reused":
      return fieldStatus(
        "REQUEST_ID_REUSED",
        "request_id",
        "has served for another request - take a new one",
      );
    case "grace_period_above_maximum":
      return fieldStatus(
        "GRACE_PERIOD_ABOVE_MAXIMUM",
        "grace_period",
        "is longer than the old credential has to live",
        { latest: fault.latest.toISOString() },
      );
    case "not_before_after_expiry":
      return fieldStatus("NOT_BEFORE_AFTER_EXPIRY", "not_before", "must be before the credential expires", {
        expires_at: fault.expiresAt.toISOString(),
      });
    case "policy_out_of_bounds":
      return outOfBounds(fault);
    case "expiry_in_past":
      return fieldStatus(
        "EXPIRY_IN_PAST",
        "expires_at",
        "must be in the future by the clock of the database",
        { now: fault.bound.toISOString() },
      );
    case "expiry_below_minimum":
      return fieldStatus(
        "EXPIRY_BELOW_MINIMUM",
        "expires_at",
        "is sooner than the minimum lifetime of the organization allows",
        { earliest: fault.bound.toISOString(), min_lifetime_seconds: String(fault.boundSeconds) },
      );
    case "expiry_above_maximum":
      return fieldStatus(
        "EXPIRY_ABOVE_MAXIMUM",
        "expires_at",
        "is later than the maximum lifetime of the organization allows",
        { latest: fault.bound.toISOString(), max_lifetime_seconds: String(fault.boundSeconds) },
      );
    case "credential_limit_reached":
      return limitReached(fault);
  }
}

/** For a caller without the right, from whom it is hidden what exists: the same for all that he may ask for. */
export const unseenStatus = (unseen: ResourceType): Status =>
  status(
    Code.NotFound,
    "NOT_FOUND",
    `there is no such ${words(unseen)} for this caller`,
    {},
    resourceInfo(unseen, ""),
  );

/** One field of the request breaks a rule. The sentence and the violation say the same. */
function fieldStatus(
  reason: Reason,
  field: string,
  description: string,
  metadata: Record<string, string> = {},
): Status {
  const violations = badRequest([{ field, description }]);
  return status(Code.InvalidArgument, reason, `${field} ${description}`, metadata, violations);
}

function precondition(reason: Reason, description: string, metadata: Record<string, string> = {}): Status {
  const violations = [{ type: reason, subject: "", description }];
  return status(
    Code.FailedPrecondition,
    reason,
    description,
    metadata,
    detail(PreconditionFailureSchema, { violations }),
  );
}

const resourceInfo = (resourceType: ResourceType, resourceName: string): Detail =>
  detail(ResourceInfoSchema, { resourceType: `keyturn.dev/${resourceType}`, resourceName });

function outOfBounds({ field, minimum, maximum }: Extract<Fault, { kind: "policy_out_of_bounds" }>): Status {
  const [word, description] =
    minimum === undefined
      ? ["maximum", `must be at most ${maximum}`]
      : ["minimum", `must be at least ${minimum}`];
  return fieldStatus("POLICY_OUT_OF_BOUNDS", field, description, {
    field,
    [word]: String(minimum ?? maximum),
  });
}

function limitReached(fault: Extract<Fault, { kind: "credential_limit_reached" }>): Status {
  return status(
    Code.ResourceExhausted,
    "CREDENTIAL_LIMIT_REACHED",
    `service account ${fault.serviceAccountId} already has ${fault.activeCount} active credentials of ${fault.limit} - delete one first`,
    {
      limit: String(fault.limit),
      active_count: String(fault.activeCount),
      safest_to_delete: fault.safestToDelete,
    },
    detail(QuotaFailureSchema, {
      violations: [
        {
          subject: `service-accounts/${fault.serviceAccountId}`,
          description: `at most ${fault.limit} active credentials a service account`,
        },
      ],
    }),
  );
}

/** `ServiceAccount` as a reader writes it: `service account`. */
function words(resourceType: ResourceType): string {
  return resourceType.replace(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase();
}
