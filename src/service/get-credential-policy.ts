import type { CallContext } from "../domain/call-context.ts";
import type { OrganizationPolicy } from "../domain/policy.ts";
import type { CredentialPolicies } from "../storage/credential-policies.ts";

export interface GetCredentialPolicyDeps {
  readonly policies: Pick<CredentialPolicies, "get">;
}

/** The policy that holds for the caller's organization. */
export function getCredentialPolicy(
  deps: GetCredentialPolicyDeps,
  ctx: CallContext,
): Promise<OrganizationPolicy> {
  return deps.policies.get(ctx);
}
