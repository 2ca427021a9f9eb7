import type { AccessTokens } from "../auth/access-token.ts";
import type { CallContext } from "../domain/call-context.ts";
import type { TokenStates } from "../storage/token-states.ts";
import { mayAskAbout } from "./introspect-token.ts";

export interface RevokeTokenDeps {
  readonly accessTokens: Pick<AccessTokens, "read">;
  readonly tokens: Pick<TokenStates, "revoke">;
}

/**
 * Revokes a token of the caller's organization; what is no token of it, or does not hold any more, needs nothing
 * (RFC 7009 section 2.2). @throws FaultError unavailable, deadline_exceeded, cancelled.
 */
export async function revokeToken(deps: RevokeTokenDeps, ctx: CallContext, token: string): Promise<void> {
  const claims = await deps.accessTokens.read(token, ctx.signal);
  if (claims === undefined || !mayAskAbout(ctx, claims)) return;
  await deps.tokens.revoke(ctx, {
    organizationId: claims.tenant_id,
    serviceAccountId: claims.client_id.slice(0, claims.client_id.indexOf("@")),
    credentialId: claims.credential_id,
    jti: claims.jti,
    expiresAt: new Date(claims.exp * 1000),
  });
}
