import type { CallContext } from "../domain/call-context.ts";
import { invalidArgument } from "../domain/fault.ts";
import type { PolicyChanges, PolicyUpdate } from "../domain/policy.ts";
import type { CredentialPolicies } from "../storage/credential-policies.ts";
import { valueWritten } from "./outcome.ts";

export interface UpdateCredentialPolicyDeps {
  readonly policies: Pick<CredentialPolicies, "update">;
}

export interface UpdateCredentialPolicy {
  readonly changes: PolicyChanges;
  readonly etag: string | undefined;
  readonly validateOnly: boolean;
}

/**
 * Changes the policy for credentials to come; those that exist stay as they are.
 * @throws FaultError policy_out_of_bounds, etag_mismatch, invalid_argument.
 */
export async function updateCredentialPolicy(
  deps: UpdateCredentialPolicyDeps,
  ctx: CallContext,
  { changes, ...target }: UpdateCredentialPolicy,
): Promise<PolicyUpdate> {
  if (Object.keys(changes).length === 0)
    throw invalidArgument({ field: "update_mask", description: "must name at least one field to change" });
  return valueWritten(deps.policies.update(ctx, target, changes));
}
