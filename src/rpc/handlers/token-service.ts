import type { AccessTokenClaims } from "../../auth/access-token.ts";
import { invalidRequest } from "../../domain/fault.ts";
import { type IntrospectTokenDeps, introspectToken } from "../../service/introspect-token.ts";
import { type MintTokenDeps, mintToken } from "../../service/mint-token.ts";
import { type RevokeTokenDeps, revokeToken } from "../../service/revoke-token.ts";
import { contextOf } from "../call.ts";
import { toTimestamp } from "../instant.ts";
import type { Handlers } from "../kernel.ts";

export type TokenServiceDeps = MintTokenDeps & IntrospectTokenDeps & RevokeTokenDeps;

/** From wire to verb and back. No rule and no query. */
export const tokenServiceHandlers = (deps: TokenServiceDeps): Handlers<"TokenService"> => ({
  mintToken: async (req, call) => {
    const { clientAddress: address, tell } = call;
    const asked = { ...req, address, userAgent: call.header("user-agent"), tell };
    const minted = await mintToken(deps, asked, call.signal);
    return {
      accessToken: minted.accessToken,
      tokenType: "Bearer",
      expiresIn: minted.expiresInSeconds,
      credentialExpiresAt: toTimestamp(minted.credentialExpiresAt),
      ...(minted.credentialExpiresSoon ? { credentialExpiresSoon: true } : {}),
    };
  },
  introspectToken: async ({ token }, call) => {
    requireToken(token);
    const claims = await introspectToken(deps, contextOf(call), { token, tell: call.tell });
    return claims === undefined ? { active: false } : toIntrospection(claims);
  },
  revokeToken: async ({ token }, call) => {
    requireToken(token);
    await revokeToken(deps, contextOf(call), token);
    return { revoked: true };
  },
});

/** A form whose `token` is misspelt must not be told that it is revoked (RFC 6749 section 5.2). @throws FaultError */
function requireToken(token: string): void {
  if (token === "") throw invalidRequest("token is missing");
}

const toIntrospection = (claims: AccessTokenClaims) => ({
  active: true,
  iss: claims.iss,
  sub: claims.sub,
  aud: claims.aud,
  clientId: claims.client_id,
  tokenType: "Bearer",
  exp: claims.exp,
  iat: claims.iat,
  jti: claims.jti,
  tenantId: claims.tenant_id,
  scope: claims.scope,
  scopeId: claims.scope_id,
  roles: [...claims.roles],
  principalType: claims.principal_type,
  credentialId: claims.credential_id,
});
