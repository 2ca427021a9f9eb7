import type { AccessTokenClaims, AccessTokens } from "../auth/access-token.ts";
import type { CallContext } from "../domain/call-context.ts";
import type { TellFinding } from "../domain/presented.ts";
import type { TokenStates } from "../storage/token-states.ts";

export interface IntrospectTokenDeps {
  readonly accessTokens: Pick<AccessTokens, "read">;
  readonly tokens: Pick<TokenStates, "holds">;
}

/**
 * What a token says, while it holds: signature and lifetime, and then, in the database, that it was not revoked and that
 * its credential, account and organization hold still. Undefined for whatever does not, and for a token of an
 * organization that the caller may not ask about.
 * @throws FaultError unavailable, deadline_exceeded, cancelled: a database in trouble never makes a token inactive.
 */
export async function introspectToken(
  deps: IntrospectTokenDeps,
  ctx: CallContext,
  { token, tell }: { readonly token: string; readonly tell: TellFinding },
): Promise<AccessTokenClaims | undefined> {
  const claims = await deps.accessTokens.read(token, ctx.signal);
  const inactive = (refusal: string) => {
    tell({ credentialId: claims?.credential_id, refusal });
    return undefined;
  };
  if (claims === undefined) return inactive("not_ours");
  if (!mayAskAbout(ctx, claims)) return inactive("organization");
  const holds = await deps.tokens.holds(
    { credentialId: claims.credential_id, clientId: claims.client_id, jti: claims.jti },
    ctx.signal,
  );
  if (!holds) return inactive("ended");
  tell({ credentialId: claims.credential_id, refusal: undefined });
  return claims;
}

export const mayAskAbout = ({ reach, caller }: CallContext, claims: AccessTokenClaims): boolean =>
  reach === "platform" || claims.tenant_id === caller.organizationId;
