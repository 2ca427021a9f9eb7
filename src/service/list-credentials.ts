import type { PageTokens } from "../auth/page-token.ts";
import type { CallContext } from "../domain/call-context.ts";
import type { Credential, CredentialFilter } from "../domain/credential.ts";
import type { Credentials } from "../storage/credentials.ts";
import { type PageAsked, type PageShown, shownPage } from "./paging.ts";

export interface ListCredentialsDeps {
  readonly pageTokens: PageTokens;
  readonly credentials: Pick<Credentials, "list">;
}

export interface ListCredentials extends PageAsked {
  readonly serviceAccountId: string;
  readonly filter: CredentialFilter;
}

/** The credentials of an account, in the order of their creation. @throws FaultError not_found, invalid_argument. */
export function listCredentials(
  deps: ListCredentialsDeps,
  ctx: CallContext,
  req: ListCredentials,
): Promise<PageShown<Credential>> {
  const binding = ["credentials", ctx.caller.organizationId, req.serviceAccountId, req.filter];
  return shownPage(deps.pageTokens, binding, req, (page) =>
    deps.credentials.list(ctx, req.serviceAccountId, req.filter, page),
  );
}
