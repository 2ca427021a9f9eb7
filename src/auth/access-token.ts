import { sign, verify } from "node:crypto";
import { FaultError } from "../domain/fault.ts";
import { clientIdOf, type Principal } from "../domain/principal.ts";
import type { JsonObject, JsonValue } from "../domain/strict-json.ts";
import { type CompactToken, parseCompactToken } from "./compact-token.ts";
import { JWS_SIGNATURE_BYTES, toDerSignature, toJwsSignature } from "./ecdsa-form.ts";
import type { SigningKey } from "./signing-key.ts";
import type { SigningKeyRing } from "./signing-key-ring.ts";

/**
 * Access tokens of this service: JWTs as RFC 9068 profiles them, signed with ES256 (docs/adr/0013).
 */

/** The claims by the names that they have on the wire. */
export interface AccessTokenClaims {
  readonly iss: string;
  /** The client id: the service account is the client and the subject. */
  readonly sub: string;
  readonly aud: string;
  readonly client_id: string;
  /** In seconds since the epoch, by the database's clock. */
  readonly iat: number;
  readonly exp: number;
  readonly jti: string;
  /** The organization. */
  readonly tenant_id: string;
  readonly scope: Principal["scope"];
  readonly scope_id: string;
  readonly roles: readonly string[];
  readonly principal_type: "service_account";
  readonly credential_id: string;
}

export interface AccessTokenDeps {
  readonly ring: Pick<SigningKeyRing, "current" | "find">;
  readonly issuer: () => string;
  readonly audience: string;
  /** In ms since the epoch; the clock by which tokens that are read have expired. */
  readonly now: () => number;
  readonly randomUUID: () => string;
}

export interface AccessTokens {
  /**
   * A token that says what the principal does, issued when that was read and valid for so long.
   * @throws FaultError unavailable while there is no key to sign with.
   */
  sign(principal: Principal, lifetimeSeconds: number): SignedAccessToken;
  /**
   * What a token of ours says, until it expires; undefined for anything else. It says nothing of what has happened since.
   * @throws FaultError unavailable while nobody can know whether its key is ours, or the fault of an aborted `signal`.
   */
  read(token: string, signal?: AbortSignal): Promise<AccessTokenClaims | undefined>;
}

export interface SignedAccessToken {
  readonly token: string;
  readonly expiresInSeconds: number;
}

const TYPE = "at+jwt";
const ALGORITHM = "ES256";
const PRINCIPAL_TYPE = "service_account";

export function createAccessTokens(deps: AccessTokenDeps): AccessTokens {
  return {
    sign(principal, lifetimeSeconds) {
      const key = deps.ring.current();
      const header = encode({ alg: ALGORITHM, typ: TYPE, kid: key.kid });
      const signed = `${header}.${encode({ ...claimsOf(deps, principal, lifetimeSeconds) })}`;
      return { token: `${signed}.${signatureOf(key, signed)}`, expiresInSeconds: lifetimeSeconds };
    },
    async read(token, signal) {
      const parts = partsOf(token);
      const kid = parts === undefined ? undefined : keyIdOf(parts.header);
      const claims = parts === undefined ? undefined : readClaims(parts.payload, deps);
      // What costs nothing comes first: nobody has the database asked for the key of a token that would not do anyway.
      if (parts === undefined || kid === undefined || claims === undefined) return undefined;
      const key = await deps.ring.find(kid, signal);
      if (key === undefined || !isSignedWith(key, parts)) return undefined;
      return deps.now() < claims.exp * 1000 ? claims : undefined;
    },
  };
}

function claimsOf(deps: AccessTokenDeps, principal: Principal, lifetimeSeconds: number): AccessTokenClaims {
  const clientId = clientIdOf(principal);
  // By the clock that also says when the credential ends, so that no skew of ours makes the token outlive it.
  const iat = Math.floor(principal.checkedAt.getTime() / 1000);
  return {
    iss: deps.issuer(),
    sub: clientId,
    aud: deps.audience,
    client_id: clientId,
    iat,
    exp: iat + lifetimeSeconds,
    jti: deps.randomUUID(),
    tenant_id: principal.organizationId,
    scope: principal.scope,
    scope_id: principal.scopeId,
    roles: principal.roles,
    principal_type: PRINCIPAL_TYPE,
    credential_id: principal.credentialId,
  };
}

const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString("base64url");

/**
 * On this thread: it takes less than handing it to libuv's threads and back, and those may be full of argon2
 * (docs/adr/0004).
 */
const signatureOf = ({ privateKey }: SigningKey, signed: string): string =>
  toJwsSignature(sign("sha256", Buffer.from(signed), privateKey)).toString("base64url");

const isSignedWith = ({ publicKey }: SigningKey, { signed, signature }: CompactToken): boolean =>
  signature.length === JWS_SIGNATURE_BYTES && verify("sha256", signed, publicKey, toDerSignature(signature));

function partsOf(token: string): CompactToken | undefined {
  try {
    return parseCompactToken(token);
  } catch (err) {
    if (err instanceof FaultError && err.fault.kind === "unauthenticated") return undefined;
    throw err;
  }
}

/** Ours has these three members and no others, so that nothing in it can ask to be read otherwise. */
function keyIdOf({ alg, typ, kid, ...others }: JsonObject): string | undefined {
  if (alg !== ALGORITHM || typ !== TYPE || Object.keys(others).length > 0) return undefined;
  return isWord(kid) ? kid : undefined;
}

/** Every claim has to be there and to be what we write; what a later release has added to them is left out. */
function readClaims(
  payload: JsonObject,
  { issuer, audience }: Pick<AccessTokenDeps, "issuer" | "audience">,
): AccessTokenClaims | undefined {
  const { iss, aud, sub, client_id, iat, exp, jti, tenant_id, scope_id, credential_id, scope, roles } =
    payload;
  if (iss !== issuer() || aud !== audience || payload["principal_type"] !== PRINCIPAL_TYPE) return undefined;
  if (!isWord(client_id) || sub !== client_id || !isWord(jti) || !isWord(tenant_id)) return undefined;
  if (!isWord(scope_id) || !isWord(credential_id) || !isScope(scope) || !isWords(roles)) return undefined;
  if (!isInstant(iat) || !isInstant(exp) || !client_id.endsWith(`@${tenant_id}.iam`)) return undefined;
  const names = { iss, sub, aud, client_id, jti, tenant_id, scope_id, credential_id };
  return { ...names, iat, exp, scope, roles, principal_type: PRINCIPAL_TYPE };
}

const isWord = (value: JsonValue | undefined): value is string => typeof value === "string" && value !== "";

const isWords = (value: JsonValue | undefined): value is string[] =>
  Array.isArray(value) && value.every(isWord);

const isScope = (value: JsonValue | undefined): value is Principal["scope"] =>
  value === "organization" || value === "project";

/** Seconds since the epoch. */
const isInstant = (value: JsonValue | undefined): value is number => Number.isSafeInteger(value);
