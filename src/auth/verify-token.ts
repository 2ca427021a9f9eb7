import type { Caller } from "../domain/caller.ts";
import { unauthenticated } from "../domain/fault.ts";
import type { JsonObject } from "../domain/strict-json.ts";
import { type Algorithm, algorithmNamed } from "./algorithms.ts";
import { readCaller } from "./claims.ts";
import { type CompactToken, parseCompactToken } from "./compact-token.ts";
import type { KeySet } from "./key-set.ts";
import { isKeyId, type VerificationKey } from "./verification-key.ts";

/** Tokens of other kinds (a logout token, a DPoP proof) are signed with the same keys and must not pass for one. */
const TOKEN_TYPES: ReadonlySet<string> = new Set(["jwt", "at+jwt", "application/at+jwt"]);

/**
 * @throws FaultError `unauthenticated` for a token that does not hold, `unavailable` `key_set` when that cannot be
 * known now, or the fault of an aborted `signal`.
 */
export type VerifyToken = (token: string, signal?: AbortSignal) => Promise<Caller>;

/** The same, and at once for a token that is known to hold. */
export type RecallToken = (token: string, signal?: AbortSignal) => Caller | Promise<Caller>;

export interface TokenRules {
  /** By issuer, character for character as in `iss`. */
  readonly issuers: ReadonlyMap<string, KeySet>;
  /** At least one. Every audience of a token has to be among them. */
  readonly audiences: readonly string[];
  /** Name of the claim with the organization id; dots reach into objects. */
  readonly tenantClaim: string;
  /** Name of the claim with the roles; dots reach into objects. */
  readonly rolesClaim: string;
  /** In ms since the epoch. */
  readonly now: () => number;
}

/**
 * Verifies access tokens: JWS compact tokens (RFC 7515, RFC 7519) after the rules of RFC 8725 and RFC 9068, signed with
 * a key that the token's issuer publishes. What costs nothing is checked first: a stranger gets neither a request to
 * the issuer nor a signature check for a token whose claims would not do anyway.
 */
export function createTokenVerifier({
  issuers,
  audiences,
  tenantClaim,
  rolesClaim,
  now,
}: TokenRules): VerifyToken {
  if (audiences.length === 0) throw new TypeError("at least one audience is needed");
  const rules = { issuers, audiences: new Set(audiences), tenantClaim, rolesClaim };
  return async (token, signal) => {
    const parts = parseCompactToken(token);
    const { algorithm, keyId } = readHeader(parts.header);
    const caller = readCaller(parts.payload, rules, now());
    const key = await issuers.get(caller.issuer)?.keyFor(keyId, signal);
    if (key === undefined) throw unauthenticated("key_unknown");
    if (key.algorithm !== algorithm) throw unauthenticated("algorithm");
    if (!(await isSignedWith(key, parts))) throw unauthenticated("signature");
    // It may have ended while its issuer was being asked.
    if (now() >= caller.expiresAtMs) throw unauthenticated("expired");
    return caller;
  };
}

/** Members that name or carry a key (`jku`, `jwk`, `x5u`, `x5c`) are not read: only the issuer's published keys count. */
function readHeader(header: JsonObject): { algorithm: Algorithm; keyId: string } {
  const algorithm = algorithmNamed(header["alg"]);
  if (algorithm === undefined) throw unauthenticated("algorithm");
  // We know no extension, so none that is critical (RFC 7515 section 4.1.11), nor the unencoded payload of RFC 7797.
  if (Object.hasOwn(header, "crit") || Object.hasOwn(header, "b64")) throw unauthenticated("malformed");
  const { typ, kid } = header;
  if (typ !== undefined && !(typeof typ === "string" && TOKEN_TYPES.has(typ.toLowerCase()))) {
    throw unauthenticated("type");
  }
  if (!isKeyId(kid)) throw unauthenticated("malformed");
  return { algorithm, keyId: kid };
}

/**
 * Web Crypto on the bytes that were parsed above, and on no second reading of the token. The parameters are those of
 * the key, never of the header. A signature of the wrong length is false and does not throw.
 */
const isSignedWith = (
  { key, algorithm }: VerificationKey,
  { signature, signed }: CompactToken,
): Promise<boolean> => crypto.subtle.verify(algorithm.verifyParams, key, signature, signed);
