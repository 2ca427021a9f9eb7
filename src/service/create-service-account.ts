import type { CallContext } from "../domain/call-context.ts";
import { invalidArgument } from "../domain/fault.ts";
import type { ServiceAccount, ServiceAccountScope } from "../domain/service-account.ts";
import type { ServiceAccounts } from "../storage/service-accounts.ts";
import { valueWritten } from "./outcome.ts";
import { type ReservedRolesDeps, requireUnreserved } from "./reserved-roles.ts";

export interface CreateServiceAccountDeps extends ReservedRolesDeps {
  readonly serviceAccounts: Pick<ServiceAccounts, "create">;
}

export interface CreateServiceAccount {
  readonly id: string;
  readonly displayName: string;
  readonly description: string | undefined;
  /** Absent: the whole organization. */
  readonly scope: ServiceAccountScope | undefined;
  readonly scopeId: string | undefined;
  readonly roles: readonly string[];
  readonly validateOnly: boolean;
}

/** Creates an account, without a credential yet. @throws FaultError already_exists, role_not_grantable, invalid_argument. */
export async function createServiceAccount(
  deps: CreateServiceAccountDeps,
  ctx: CallContext,
  req: CreateServiceAccount,
): Promise<ServiceAccount> {
  const scope = req.scope ?? "organization";
  const scopeId = scopeIdOf(scope, req.scopeId, ctx.caller.organizationId);
  requireUnreserved(deps, req.roles);
  return valueWritten(deps.serviceAccounts.create(ctx, { ...req, serviceAccountId: req.id, scope, scopeId }));
}

function scopeIdOf(scope: ServiceAccountScope, asked: string | undefined, organizationId: string): string {
  if (scope === "organization") {
    if (asked === undefined || asked === organizationId) return organizationId;
    throw invalidArgument({ field: "scope_id", description: "must be the organization of the caller" });
  }
  if (asked === undefined)
    throw invalidArgument({ field: "scope_id", description: "must name the project of the scope" });
  return asked;
}
