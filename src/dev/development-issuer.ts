import { join } from "node:path";
import { exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from "jose";
import { type KeySet, staticKeySet } from "../auth/key-set.ts";
import { readOrCreatePrivateFile } from "./private-file.ts";

/** The issuer of development tokens. It signs with a key in the data folder and is reached by nobody. */
export const DEVELOPMENT_ISSUER = "http://localhost/keyturn-development";
const KEY_FILE = "development-issuer.json";
const KEY_ID = "development";

export interface DevelopmentToken {
  readonly organizationId: string;
  readonly subject: string;
  readonly roles: readonly string[];
  readonly audience: string;
  readonly lifetimeSeconds: number;
  /** Claim names as configured; one with dots is written as it stands. */
  readonly tenantClaim: string;
  readonly rolesClaim: string;
}

/** Signs a bearer token with the data folder's development key, which is made when there is none. */
export async function signDevelopmentToken(dataDir: string, token: DevelopmentToken): Promise<string> {
  const key = await importJWK(await privateJwk(dataDir), "ES256");
  return new SignJWT({ [token.tenantClaim]: token.organizationId, [token.rolesClaim]: [...token.roles] })
    .setProtectedHeader({ alg: "ES256", kid: KEY_ID, typ: "at+jwt" })
    .setIssuer(DEVELOPMENT_ISSUER)
    .setSubject(token.subject)
    .setAudience(token.audience)
    .setIssuedAt()
    .setExpirationTime(`${token.lifetimeSeconds}s`)
    .sign(key);
}

export async function developmentKeySet(dataDir: string): Promise<KeySet> {
  const { d: _private, ...publicJwk } = await privateJwk(dataDir);
  return staticKeySet({ keys: [publicJwk as Record<string, string>] });
}

async function privateJwk(dataDir: string): Promise<JWK> {
  const file = join(dataDir, KEY_FILE);
  const fresh = async () => {
    const { privateKey } = await generateKeyPair("ES256", { extractable: true });
    return JSON.stringify({ ...(await exportJWK(privateKey)), kid: KEY_ID, alg: "ES256", use: "sig" });
  };
  return JSON.parse(await readOrCreatePrivateFile(file, fresh));
}
