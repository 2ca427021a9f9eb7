import type { CallContext } from "../domain/call-context.ts";
import type { ServiceAccount } from "../domain/service-account.ts";
import type { ServiceAccounts } from "../storage/service-accounts.ts";

export interface GetServiceAccountDeps {
  readonly serviceAccounts: Pick<ServiceAccounts, "get">;
}

/** @throws FaultError not_found */
export function getServiceAccount(
  deps: GetServiceAccountDeps,
  ctx: CallContext,
  id: string,
): Promise<ServiceAccount> {
  return deps.serviceAccounts.get(ctx, id);
}
