import type { Fault } from "../domain/fault.ts";
import type { Subject } from "./mutation.ts";

/** What a function says besides its outcome: JSON, whose instants are ISO 8601 texts. */
// biome-ignore lint/suspicious/noExplicitAny: each outcome has facts of its own, which its reader knows
export type Facts = Readonly<Record<string, any>>;

/** The fault behind an outcome's word. An unknown word is a defect: a function newer than this release. */
export function refusalOf(outcome: string, facts: Facts, subject: Subject): Fault {
  switch (outcome) {
    case "not_found":
      return notFound(facts, subject);
    case "already_exists":
      return { kind: "already_exists", resourceType: "ServiceAccount", id: subject.serviceAccountId ?? "" };
    case "deadline_exceeded":
    case "etag_mismatch":
    case "credential_creation_denied":
    case "request_id_reused":
      return { kind: outcome };
    case "role_not_grantable":
      return { kind: outcome, roles: facts["roles"] };
    case "credential_not_active":
      return { kind: outcome, status: facts["status"] };
    case "grace_period_above_maximum":
      return { kind: outcome, latest: new Date(facts["latest"]) };
    case "not_before_after_expiry":
      return { kind: outcome, expiresAt: new Date(facts["expires_at"]) };
    case "policy_out_of_bounds":
      return { kind: outcome, field: facts["field"], minimum: facts["minimum"], maximum: facts["maximum"] };
    case "expiry_in_past":
    case "expiry_below_minimum":
    case "expiry_above_maximum":
      return { kind: outcome, bound: new Date(facts["bound"]), boundSeconds: facts["bound_seconds"] };
    case "credential_limit_reached":
      return {
        kind: outcome,
        serviceAccountId: subject.serviceAccountId ?? "",
        limit: facts["limit"],
        activeCount: facts["active_count"],
        safestToDelete: facts["safest_to_delete"],
      };
    default:
      return { kind: "internal" };
  }
}

/** What it was that is not there: the narrowest thing that the function names. */
function notFound(facts: Facts, { ctx, serviceAccountId }: Subject): Fault {
  if (facts["credential_id"] !== undefined)
    return { kind: "not_found", resourceType: "Credential", id: facts["credential_id"] };
  if (facts["organization_id"] !== undefined)
    return { kind: "not_found", resourceType: "Organization", id: ctx.caller.organizationId };
  const id = facts["service_account_id"] ?? serviceAccountId ?? "";
  return { kind: "not_found", resourceType: "ServiceAccount", id };
}
