import type { CallContext } from "../domain/call-context.ts";
import type { Revocation } from "../domain/credential.ts";
import { invalidArgument } from "../domain/fault.ts";
import type { Credentials } from "../storage/credentials.ts";
import { valueWritten } from "./outcome.ts";

export interface RevokeAllCredentialsDeps {
  readonly credentials: Pick<Credentials, "revokeOfServiceAccount" | "revokeOfOrganization">;
}

export interface RevokeAllCredentials {
  /** Absent: the whole organization. */
  readonly serviceAccountId: string | undefined;
  /** Accounts that keep their credentials; for the whole organization only. */
  readonly exemptServiceAccountIds: readonly string[];
  readonly validateOnly: boolean;
}

/** The kill switch: ends every credential that exists now, by one row. @throws FaultError not_found, invalid_argument. */
export function revokeAllCredentials(
  deps: RevokeAllCredentialsDeps,
  ctx: CallContext,
  { serviceAccountId, exemptServiceAccountIds, validateOnly }: RevokeAllCredentials,
): Promise<Revocation> {
  if (serviceAccountId === undefined)
    return valueWritten(deps.credentials.revokeOfOrganization(ctx, exemptServiceAccountIds, validateOnly));
  if (exemptServiceAccountIds.length > 0)
    throw invalidArgument({
      field: "exempt_service_account_ids",
      description: "goes with a revocation of the whole organization only",
    });
  return valueWritten(deps.credentials.revokeOfServiceAccount(ctx, serviceAccountId, validateOnly));
}
