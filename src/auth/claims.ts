import type { Caller } from "../domain/caller.ts";
import { type TokenRefusal, unauthenticated } from "../domain/fault.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../domain/strict-json.ts";

/** How far the issuer's clock may be ahead of ours. An end is an end, so `exp` gets none of it. */
const CLOCK_SKEW_MS_MAX = 60_000;
/** The last second of the year 9999. Anything later is milliseconds taken for seconds, or worse. */
const SECONDS_MAX = 253_402_300_799;
const SUBJECT_LENGTH_MAX = 255;
const ROLES_MAX = 100;
const ROLE_LENGTH_MAX = 128;
const ORGANIZATION_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const CONTROL_CHARACTER = /\p{Cc}/u;

export interface ClaimRules {
  readonly issuers: ReadonlyMap<string, unknown>;
  readonly audiences: ReadonlySet<string>;
  /** The claim that names the tenant. */
  readonly tenantClaim: string;
  /** The claim that lists the roles. */
  readonly rolesClaim: string;
}

/**
 * What a payload says about the caller (RFC 7519 section 4.1, and more strictly). It proves nothing until the signature
 * has been checked.
 * @throws FaultError `unauthenticated`: `issuer`, `audience`, `expired`, `not_yet_valid` or `claims`.
 */
export function readCaller(claims: JsonObject, rules: ClaimRules, nowMs: number): Caller {
  const issuer = readIssuer(claims, rules);
  const expiresAtMs = readLifetime(claims, nowMs);
  assertAudience(claims["aud"], rules.audiences);
  return Object.freeze({
    issuer,
    subject: readSubject(claims["sub"]),
    organizationId: readOrganizationId(claimNamed(claims, rules.tenantClaim)),
    roles: readRoles(claimNamed(claims, rules.rolesClaim)),
    expiresAtMs,
  });
}

function refuse(refusal: TokenRefusal): never {
  throw unauthenticated(refusal);
}

function readIssuer({ iss }: JsonObject, { issuers }: ClaimRules): string {
  return typeof iss === "string" && issuers.has(iss) ? iss : refuse("issuer");
}

/** @returns when the token ends, in ms since the epoch. */
function readLifetime({ exp, nbf, iat }: JsonObject, nowMs: number): number {
  const expiresAtMs = Math.floor(readTimeMs(exp));
  if (nowMs >= expiresAtMs) refuse("expired");
  for (const start of [nbf, iat]) {
    if (start !== undefined && readTimeMs(start) > nowMs + CLOCK_SKEW_MS_MAX) refuse("not_yet_valid");
  }
  return expiresAtMs;
}

/** A NumericDate (RFC 7519 section 2): seconds since the epoch, fractions allowed. `1e400` is read as Infinity. */
const readTimeMs = (value: JsonValue | undefined): number =>
  typeof value === "number" && value >= 0 && value <= SECONDS_MAX ? value * 1000 : refuse("claims");

/** A token that strangers accept too could be replayed by one of them, so every audience has to be one of ours. */
function assertAudience(aud: JsonValue | undefined, ours: ReadonlySet<string>): void {
  const audiences = typeof aud === "string" ? [aud] : aud;
  if (!Array.isArray(audiences) || audiences.length === 0) refuse("audience");
  else if (!audiences.every((audience) => typeof audience === "string" && ours.has(audience)))
    refuse("audience");
}

function readSubject(sub: JsonValue | undefined): string {
  if (typeof sub !== "string" || sub === "" || sub.length > SUBJECT_LENGTH_MAX) refuse("claims");
  return CONTROL_CHARACTER.test(sub) ? refuse("claims") : sub;
}

const readOrganizationId = (value: JsonValue | undefined): string =>
  typeof value === "string" && ORGANIZATION_ID.test(value) ? value : refuse("claims");

/** A list, or words with spaces between them as in RFC 6749 section 3.3; absent means none. */
function readRoles(value: JsonValue | undefined): readonly string[] {
  if (value === undefined) return Object.freeze([]);
  const roles = typeof value === "string" ? value.split(" ").filter((role) => role !== "") : value;
  if (!Array.isArray(roles) || roles.length > ROLES_MAX || !roles.every(isRole)) refuse("claims");
  return Object.freeze([...roles]);
}

const isRole = (role: JsonValue): role is string =>
  typeof role === "string" && role !== "" && role.length <= ROLE_LENGTH_MAX;

/**
 * A claim by its configured name: the member of exactly that name, which may be a URL full of dots, else a path with
 * dots between the steps (`realm_access.roles`). Only own members count: `__proto__` and `constructor` are just names.
 */
function claimNamed(claims: JsonObject, name: string): JsonValue | undefined {
  if (Object.hasOwn(claims, name)) return claims[name];
  let value: JsonValue | undefined = claims;
  for (const step of name.split(".")) {
    if (!isJsonObject(value) || !Object.hasOwn(value, step)) return undefined;
    value = value[step];
  }
  return value;
}
