import { Buffer } from "node:buffer";
import { CompactSign, type CryptoKey, exportJWK, generateKeyPair, type JWK } from "jose";

export const AUDIENCE = "keyturn";

export interface SigningKey {
  readonly id: string;
  readonly algorithm: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  /** The public half as it is published. */
  readonly jwk: JWK;
}

export interface TokenParts {
  /** Replaces members of the header; undefined removes one. */
  readonly header?: Readonly<Record<string, unknown>>;
  /** Replaces claims; undefined removes one. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** Default: the newest published key. */
  readonly key?: SigningKey;
}

let keyCount = 0;

export async function makeSigningKey(algorithm = "ES256", id = `key-${++keyCount}`): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: id, alg: algorithm, use: "sig" };
  return { id, algorithm, privateKey, publicKey, jwk };
}

/** The claims of a good token. */
export function goodClaims(issuer: string, nowMs: number): Record<string, unknown> {
  const seconds = Math.floor(nowMs / 1000);
  return {
    iss: issuer,
    sub: "user-1",
    aud: AUDIENCE,
    iat: seconds,
    exp: seconds + 300,
    tenant_id: "acme",
    roles: ["owner"],
  };
}

/** A good token of the issuer, but for the parts that are replaced. */
export async function signToken(
  issuer: string,
  key: SigningKey,
  { header, claims }: TokenParts,
  nowMs: number,
): Promise<string> {
  const payload = JSON.stringify({ ...goodClaims(issuer, nowMs), ...claims });
  return new CompactSign(Buffer.from(payload))
    .setProtectedHeader(withoutUndefined({ alg: key.algorithm, kid: key.id, typ: "at+jwt", ...header }))
    .sign(key.privateKey);
}

// biome-ignore lint/suspicious/noExplicitAny: the header may be anything a test comes up with.
const withoutUndefined = (members: object): any =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));

/** Signs `header.payload` as it stands, which need not be base64url, with an ES256 key. */
export async function signText(signed: string, key: SigningKey): Promise<string> {
  const params = { name: "ECDSA", hash: "SHA-256" };
  const signature = await crypto.subtle.sign(params, key.privateKey, Buffer.from(signed));
  return `${signed}.${encodePart(Buffer.from(signature))}`;
}

/** Base64url, as the parts of a token are written. */
export const encodePart = (content: string | Uint8Array): string =>
  Buffer.from(content as string).toString("base64url");
