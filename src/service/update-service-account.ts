import type { CallContext } from "../domain/call-context.ts";
import { invalidArgument } from "../domain/fault.ts";
import type { ServiceAccount, ServiceAccountChanges } from "../domain/service-account.ts";
import type { ServiceAccounts, ServiceAccountTarget } from "../storage/service-accounts.ts";
import { valueWritten } from "./outcome.ts";
import { type ReservedRolesDeps, requireUnreserved } from "./reserved-roles.ts";

export interface UpdateServiceAccountDeps extends ReservedRolesDeps {
  readonly serviceAccounts: Pick<ServiceAccounts, "update">;
}

export interface UpdateServiceAccount extends ServiceAccountTarget {
  readonly changes: ServiceAccountChanges;
}

/**
 * Changes an account. Disabling it ends the use of all its credentials at once.
 * @throws FaultError not_found, etag_mismatch, role_not_grantable, invalid_argument.
 */
export async function updateServiceAccount(
  deps: UpdateServiceAccountDeps,
  ctx: CallContext,
  { changes, ...target }: UpdateServiceAccount,
): Promise<ServiceAccount> {
  if (Object.keys(changes).length === 0)
    throw invalidArgument({ field: "update_mask", description: "must name at least one field to change" });
  requireUnreserved(deps, changes.roles ?? []);
  return valueWritten(deps.serviceAccounts.update(ctx, target, changes));
}
