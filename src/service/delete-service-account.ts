import type { CallContext } from "../domain/call-context.ts";
import type { ServiceAccountLoss } from "../domain/service-account.ts";
import type { ServiceAccounts, ServiceAccountTarget } from "../storage/service-accounts.ts";
import { valueWritten } from "./outcome.ts";

export interface DeleteServiceAccountDeps {
  readonly serviceAccounts: Pick<ServiceAccounts, "delete">;
}

/** Deletes an account with all its credentials, at once and for good. @throws FaultError not_found, etag_mismatch. */
export function deleteServiceAccount(
  deps: DeleteServiceAccountDeps,
  ctx: CallContext,
  req: ServiceAccountTarget,
): Promise<ServiceAccountLoss> {
  return valueWritten(deps.serviceAccounts.delete(ctx, req));
}
