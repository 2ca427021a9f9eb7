import type { Duration } from "@bufbuild/protobuf/wkt";
import { CredentialCreation } from "../../../gen/keyturn/v1/credential_policy_pb.ts";
import {
  PolicyRule,
  type UpdateCredentialPolicyRequest,
} from "../../../gen/keyturn/v1/credential_policy_service_pb.ts";
import type { OrganizationPolicy, PolicyChanges, PolicyViolation } from "../../domain/policy.ts";
import { type GetCredentialPolicyDeps, getCredentialPolicy } from "../../service/get-credential-policy.ts";
import {
  type UpdateCredentialPolicyDeps,
  updateCredentialPolicy,
} from "../../service/update-credential-policy.ts";
import { contextOf } from "../call.ts";
import { fromSeconds, toSeconds } from "../duration.ts";
import { toTimestamp } from "../instant.ts";
import type { Handlers } from "../kernel.ts";
import { changedFields } from "../update-mask.ts";

export type CredentialPolicyServiceDeps = GetCredentialPolicyDeps & UpdateCredentialPolicyDeps;

/** From wire to verb and back. No rule and no query. */
export const credentialPolicyServiceHandlers = (
  deps: CredentialPolicyServiceDeps,
): Handlers<"CredentialPolicyService"> => ({
  getCredentialPolicy: async (_req, call) => toMessage(await getCredentialPolicy(deps, contextOf(call))),
  updateCredentialPolicy: async (req, call) => {
    const { policy, violations, violationCount } = await updateCredentialPolicy(deps, contextOf(call), {
      changes: toChanges(req),
      etag: req.etag || undefined,
      validateOnly: req.validateOnly,
    });
    return {
      ...toMessage(policy),
      violations: violations.map(toViolationMessage),
      ...(violationCount === undefined ? {} : { violationCount }),
    };
  },
});

const CREATION_WORDS: Readonly<Record<CredentialCreation, OrganizationPolicy["creation"] | null>> = {
  [CredentialCreation.UNSPECIFIED]: null,
  [CredentialCreation.ALLOWED]: "allowed",
  [CredentialCreation.DENIED]: "denied",
};

const CREATIONS: Readonly<Record<OrganizationPolicy["creation"], CredentialCreation>> = {
  allowed: CredentialCreation.ALLOWED,
  denied: CredentialCreation.DENIED,
};

const RULES: Readonly<Record<PolicyViolation["rule"], PolicyRule>> = {
  max_lifetime: PolicyRule.MAX_LIFETIME,
  min_lifetime: PolicyRule.MIN_LIFETIME,
  max_active_credentials: PolicyRule.MAX_ACTIVE_CREDENTIALS,
};

/** What the request changes. A field that is named and not set takes the server's own value again. */
function toChanges(req: UpdateCredentialPolicyRequest): PolicyChanges {
  const changed = changedFields(req.updateMask, {
    default_lifetime: req.defaultLifetime !== undefined,
    min_lifetime: req.minLifetime !== undefined,
    max_lifetime: req.maxLifetime !== undefined,
    max_active_credentials: req.maxActiveCredentials !== undefined,
    creation: req.creation !== CredentialCreation.UNSPECIFIED,
  });
  const seconds = (duration: Duration | undefined, field: string) =>
    duration === undefined ? null : toSeconds(duration, field);
  return {
    ...(changed.has("default_lifetime")
      ? { defaultLifetimeSeconds: seconds(req.defaultLifetime, "default_lifetime") }
      : {}),
    ...(changed.has("min_lifetime") ? { minLifetimeSeconds: seconds(req.minLifetime, "min_lifetime") } : {}),
    ...(changed.has("max_lifetime") ? { maxLifetimeSeconds: seconds(req.maxLifetime, "max_lifetime") } : {}),
    ...(changed.has("max_active_credentials")
      ? { activeCredentialsMax: req.maxActiveCredentials ?? null }
      : {}),
    ...(changed.has("creation") ? { creation: CREATION_WORDS[req.creation] } : {}),
  };
}

function toMessage(policy: OrganizationPolicy) {
  return {
    selfLink: "/v1/iam/credential-policy",
    defaultLifetime: fromSeconds(policy.defaultLifetimeSeconds),
    minLifetime: fromSeconds(policy.minLifetimeSeconds),
    maxLifetime: fromSeconds(policy.maxLifetimeSeconds),
    maxActiveCredentials: policy.activeCredentialsMax,
    creation: CREATIONS[policy.creation],
    ...(policy.updatedAt === undefined ? {} : { updatedAt: toTimestamp(policy.updatedAt) }),
    etag: policy.etag,
  };
}

const toViolationMessage = ({ serviceAccountId, credentialId, rule, expiresAt }: PolicyViolation) => ({
  serviceAccountId,
  credentialId,
  rule: RULES[rule],
  expiresAt: toTimestamp(expiresAt),
});
