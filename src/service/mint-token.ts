import type { AccessTokens } from "../auth/access-token.ts";
import { FaultError, invalidRequest, tooManyAttempts } from "../domain/fault.ts";
import type { TellFinding } from "../domain/presented.ts";
import type { Principal } from "../domain/principal.ts";
import type { CheckSecret } from "./check-secret.ts";
import { expiresSoon } from "./verify-credential.ts";

export interface MintTokenDeps {
  readonly checkSecret: CheckSecret;
  readonly accessTokens: Pick<AccessTokens, "sign">;
  readonly expiryWarningSeconds: number;
}

export interface MintToken {
  readonly grantType: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Words separated by spaces; empty for all that the account has. */
  readonly scopeNarrowing: string;
  /** The same, by OAuth's own name. */
  readonly scope: string;
  readonly address: string | undefined;
  readonly userAgent: string | undefined;
  readonly tell: TellFinding;
}

export interface MintedToken {
  readonly accessToken: string;
  readonly expiresInSeconds: number;
  readonly credentialExpiresAt: Date;
  readonly credentialExpiresSoon: boolean;
}

/** Access tokens cannot be taken back where only their signature is checked, so none lives longer. */
const TOKEN_LIFETIME_SECONDS = 900;

/**
 * Exchanges a client secret for an access token (RFC 6749 section 4.4).
 * @throws FaultError invalid_request, unsupported_grant_type, invalid_client, invalid_scope, too_many_attempts,
 *   unavailable, deadline_exceeded, cancelled.
 */
export async function mintToken(
  deps: MintTokenDeps,
  req: MintToken,
  signal: AbortSignal,
): Promise<MintedToken> {
  requireComplete(req);
  const words = wordsAskedFor(req);
  const { clientSecret: secret, clientId, address, userAgent, tell } = req;
  const outcome = await deps.checkSecret(
    { secret, asker: "mint", clientId, address, userAgent, tell },
    signal,
  );
  if (outcome.kind === "throttled") throw tooManyAttempts(outcome.delayMs);
  if (outcome.kind === "refused") throw new FaultError({ kind: "invalid_client" });
  const { principal } = outcome;
  const { token, expiresInSeconds } = deps.accessTokens.sign(
    narrowed(principal, words),
    lifetimeSeconds(principal),
  );
  return {
    accessToken: token,
    expiresInSeconds,
    credentialExpiresAt: principal.expiresAt,
    credentialExpiresSoon: expiresSoon(principal, deps.expiryWarningSeconds),
  };
}

function requireComplete({ grantType, clientId, clientSecret }: MintToken): void {
  if (grantType === "") throw invalidRequest("grant_type is missing");
  if (grantType !== "client_credentials") throw new FaultError({ kind: "unsupported_grant_type" });
  if (clientId === "" || clientSecret === "") throw new FaultError({ kind: "invalid_client" });
}

/** Never beyond the credential's own end. Whole seconds, so the last one of a credential's life gets no token. */
function lifetimeSeconds({ expiresAt, checkedAt }: Principal): number {
  const left = Math.floor((expiresAt.getTime() - checkedAt.getTime()) / 1000);
  if (left < 1) throw new FaultError({ kind: "invalid_client" });
  return Math.min(TOKEN_LIFETIME_SECONDS, left);
}

/** What the token is to be narrowed to, under either name. @throws FaultError invalid_request when they differ. */
function wordsAskedFor({ scopeNarrowing, scope }: MintToken): readonly string[] {
  const [narrowing, alias] = [wordsOf(scopeNarrowing), wordsOf(scope)];
  if (narrowing.length === 0 || alias.length === 0) return [...narrowing, ...alias];
  if (alias.length !== narrowing.length || !alias.every((word) => narrowing.includes(word)))
    throw invalidRequest("scope and scope_narrowing differ");
  return narrowing;
}

const wordsOf = (text: string) => [...new Set(text.split(" ").filter((word) => word !== ""))];

/** The principal with less than it has. @throws FaultError invalid_scope for what it has not. */
function narrowed(principal: Principal, words: readonly string[]): Principal {
  if (words.length === 0) return principal;
  const isProject = (word: string) => PROJECT.test(word) && !principal.roles.includes(word);
  const roles = words.filter((word) => !isProject(word));
  const projects = words.filter(isProject).map((word) => word.slice("project:".length));
  const isHeld = roles.every((role) => principal.roles.includes(role)) && projects.length <= 1;
  const [project] = projects;
  const isReached =
    project === undefined || principal.scope === "organization" || project === principal.scopeId;
  if (!isHeld || !isReached) throw new FaultError({ kind: "invalid_scope" });
  return {
    ...principal,
    roles: roles.length === 0 ? principal.roles : roles,
    ...(project === undefined ? {} : { scope: "project" as const, scopeId: project }),
  };
}

const PROJECT = /^project:[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
