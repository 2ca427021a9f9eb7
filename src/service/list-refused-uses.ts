import type { PageTokens } from "../auth/page-token.ts";
import type { CallContext } from "../domain/call-context.ts";
import type { RefusedUse } from "../domain/credential.ts";
import type { Credentials } from "../storage/credentials.ts";
import { type PageAsked, type PageShown, shownPage } from "./paging.ts";

export interface ListRefusedUsesDeps {
  readonly pageTokens: PageTokens;
  readonly credentials: Pick<Credentials, "listRefusedUses">;
}

export interface ListRefusedUses extends PageAsked {
  readonly serviceAccountId: string;
}

/** Who still presents secrets that do not hold: also those of deleted credentials. @throws FaultError not_found. */
export function listRefusedUses(
  deps: ListRefusedUsesDeps,
  ctx: CallContext,
  req: ListRefusedUses,
): Promise<PageShown<RefusedUse>> {
  const binding = ["refused-uses", ctx.caller.organizationId, req.serviceAccountId];
  return shownPage(deps.pageTokens, binding, req, (page) =>
    deps.credentials.listRefusedUses(ctx, req.serviceAccountId, page),
  );
}
