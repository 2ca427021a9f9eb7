import { createPrivateKey, createPublicKey, generateKeyPairSync, hash, type KeyObject } from "node:crypto";
import type { RandomBytes } from "../domain/secret.ts";
import type { NewSigningKey, PublicJwk, SealedSigningKey } from "../domain/signing-key.ts";
import { open, seal } from "./aes-gcm.ts";
import type { KeyRing } from "./root-keys.ts";

/**
 * The keys that sign access tokens: ES256, so P-256 (RFC 7518 section 3.4). The private half leaves the process as
 * PKCS #8 in DER, sealed by `aes-gcm.ts` under a key derived from the root key, with the key id as context.
 */

/** A key to sign and to verify with. Both halves are `KeyObject`s, which print as such and show nothing. */
export interface SigningKey {
  readonly kid: string;
  readonly publicJwk: PublicJwk;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** Why a stored key is not used: no root key of ours has sealed it under this id, or what was sealed is no such key. */
export type SigningKeyProblem = "not_sealed_by_us" | "not_a_signing_key";

/** How long a key is published before it signs: caches of the key set keep it for 5 minutes, servers look twice a minute. */
export const PUBLISH_AHEAD_SECONDS = 600;

/** A new key, sealed with the current root key's. */
export function makeSigningKey(
  sealingKeys: KeyRing,
  randomBytes: RandomBytes,
): SealedSigningKey & Pick<NewSigningKey, "publicJwk"> {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const publicJwk = publicJwkOf(publicKey);
  const { kid } = publicJwk;
  const der = privateKey.export({ type: "pkcs8", format: "der" });
  return { kid, publicJwk, sealedPrivateKey: seal(sealingKeys[0], der, kid, randomBytes) };
}

/**
 * Opens a key with the current root key's, or else with a retired one's. The public half comes out of the private one:
 * whoever could only write into the database cannot have a key of his own published or believed.
 */
export function openSigningKey(
  { kid, sealedPrivateKey }: SealedSigningKey,
  sealingKeys: KeyRing,
): SigningKey | SigningKeyProblem {
  for (const sealingKey of sealingKeys) {
    const der = open(sealingKey, sealedPrivateKey, kid);
    if (der !== undefined) return readSigningKey(kid, der);
  }
  return "not_sealed_by_us";
}

function readSigningKey(kid: string, der: Buffer): SigningKey | SigningKeyProblem {
  try {
    const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
    const publicKey = createPublicKey(privateKey);
    const publicJwk = publicJwkOf(publicKey);
    return publicJwk.kid === kid ? { kid, publicJwk, privateKey, publicKey } : "not_a_signing_key";
  } catch {
    return "not_a_signing_key";
  }
}

/** @throws TypeError for a key that is not of P-256. */
function publicJwkOf(publicKey: KeyObject): PublicJwk {
  const { kty, crv, x, y } = publicKey.export({ format: "jwk" });
  if (kty !== "EC" || crv !== "P-256" || x === undefined || y === undefined)
    throw new TypeError("not a key of P-256");
  return Object.freeze({ kty, crv, x, y, kid: thumbprint(x, y), alg: "ES256", use: "sig" });
}

/** RFC 7638 section 3: the hash of the required members, in this order and without any space. */
const thumbprint = (x: string, y: string): string =>
  hash("sha256", JSON.stringify({ crv: "P-256", kty: "EC", x, y }), "base64url");
