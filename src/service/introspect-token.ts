import type { AccessTokenClaims, AccessTokens } from "../auth/access-token.ts";
import type { CallContext } from "../domain/call-context.ts";
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
  token: string,
): Promise<AccessTokenClaims | undefined> {
  const claims = await deps.accessTokens.read(token, ctx.signal);
  if (claims === undefined || !mayAskAbout(ctx, claims)) return undefined;
  const holds = await deps.tokens.holds(
    { credentialId: claims.credential_id, clientId: claims.client_id, jti: claims.jti },
    ctx.signal,
  );
  return holds ? claims : undefined;
}

export const mayAskAbout = ({ reach, caller }: CallContext, claims: AccessTokenClaims): boolean =>
  reach === "platform" || claims.tenant_id === caller.organizationId;
