import type { PageTokens } from "../auth/page-token.ts";
import type { CallContext } from "../domain/call-context.ts";
import type { ServiceAccount, ServiceAccountFilter } from "../domain/service-account.ts";
import type { ServiceAccounts } from "../storage/service-accounts.ts";
import { type PageAsked, type PageShown, shownPage } from "./paging.ts";

export interface ListServiceAccountsDeps {
  readonly pageTokens: PageTokens;
  readonly serviceAccounts: Pick<ServiceAccounts, "list">;
}

export interface ListServiceAccounts extends PageAsked {
  readonly filter: ServiceAccountFilter;
}

/** The accounts of the organization, in the order of their creation. @throws FaultError invalid_argument. */
export function listServiceAccounts(
  deps: ListServiceAccountsDeps,
  ctx: CallContext,
  req: ListServiceAccounts,
): Promise<PageShown<ServiceAccount>> {
  const binding = ["service-accounts", ctx.caller.organizationId, req.filter];
  return shownPage(deps.pageTokens, binding, req, (page) => deps.serviceAccounts.list(ctx, req.filter, page));
}
