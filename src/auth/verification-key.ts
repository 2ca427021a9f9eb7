import { type CryptoKey, importJWK, type JWK } from "jose";
import { isJsonObject, type JsonObject, type JsonValue } from "../domain/strict-json.ts";
import { type Algorithm, algorithmFitting, algorithmNamed } from "./algorithms.ts";

const KEY_ID_LENGTH_MAX = 256;
const RSA_BITS_MIN = 2048;
/** Beyond this a single check costs milliseconds, which strangers would make us spend. */
const RSA_BITS_MAX = 8192;
const RSA_EXPONENT_MIN = 3;
const RSA_EXPONENT_BYTES_MAX = 4;

/** A public key, imported once and pinned to one algorithm: the token's header has no say in how it is checked. */
export interface VerificationKey {
  readonly id: string;
  readonly algorithm: Algorithm;
  readonly key: CryptoKey;
  /** Equal for equal keys with equal ids and algorithms. */
  readonly fingerprint: string;
}

/** Why a key of a set is left out. The other keys of the set are used all the same. */
export type KeyProblem =
  | "not_an_object"
  | "id"
  | "id_duplicate"
  | "private"
  | "use"
  | "algorithm"
  | "material"
  | "size";

/** @returns true for a `kid` that may be looked up: a string of 1 to 256 characters. */
export const isKeyId = (value: JsonValue | undefined): value is string =>
  typeof value === "string" && value.length > 0 && value.length <= KEY_ID_LENGTH_MAX;

/**
 * One JWK (RFC 7517) as a key to verify with, or why it cannot be one.
 * @param known keys imported before, by fingerprint: an unchanged key is not imported twice.
 */
export async function toVerificationKey(
  jwk: JsonValue,
  known: ReadonlyMap<string, VerificationKey>,
): Promise<VerificationKey | KeyProblem> {
  if (!isJsonObject(jwk)) return "not_an_object";
  const id = jwk["kid"];
  if (!isKeyId(id)) return "id";
  // An issuer that publishes the private half, or a shared secret, lets everybody sign.
  if ("d" in jwk || "k" in jwk) return "private";
  if (!isForVerifying(jwk)) return "use";
  const algorithm = algorithmOf(jwk);
  if (algorithm === undefined) return "algorithm";

  const material = publicMaterial(jwk, algorithm);
  const fingerprint = JSON.stringify([id, algorithm.names[0], material]);
  const before = known.get(fingerprint);
  if (before !== undefined) return before;
  const key = await importPublicKey(material, algorithm);
  if (key === undefined) return "material";
  if (algorithm.kty === "RSA" && !isSafeRsa(key)) return "size";
  return Object.freeze({ id, algorithm, key, fingerprint });
}

/** RFC 7517 sections 4.2 and 4.3: both members are optional, and what is there must allow verifying. */
function isForVerifying(jwk: JsonObject): boolean {
  const { use, key_ops: operations } = jwk;
  if (use !== undefined && use !== "sig") return false;
  return operations === undefined || (Array.isArray(operations) && operations.includes("verify"));
}

function algorithmOf(jwk: JsonObject): Algorithm | undefined {
  const { alg, kty, crv } = jwk;
  if (alg === undefined) return algorithmFitting(kty, crv);
  const named = algorithmNamed(alg);
  return named?.kty === kty && named?.crv === crv ? named : undefined;
}

/** The members that make the key and no others, so that nothing else in the JWK can change how it is imported. */
function publicMaterial({ kty, crv, x, y, n, e }: JsonObject, algorithm: Algorithm): JsonObject {
  switch (algorithm.kty) {
    case "EC":
      return { kty, crv, x, y } as JsonObject;
    case "OKP":
      return { kty, crv, x } as JsonObject;
    case "RSA":
      return { kty, n, e } as JsonObject;
  }
}

async function importPublicKey(material: JsonObject, algorithm: Algorithm): Promise<CryptoKey | undefined> {
  // Web Crypto would turn anything into a string before it looks.
  if (!Object.values(material).every((member) => typeof member === "string")) return undefined;
  try {
    const key = await importJWK(material as JWK, algorithm.names[0]);
    return key instanceof Uint8Array ? undefined : key;
  } catch {
    // Whatever is wrong with it (a missing member, a point off the curve), this key is not usable.
    return undefined;
  }
}

function isSafeRsa(key: CryptoKey): boolean {
  const { modulusLength, publicExponent } = key.algorithm as unknown as RsaParams;
  if (modulusLength < RSA_BITS_MIN || modulusLength > RSA_BITS_MAX) return false;
  if (publicExponent.length > RSA_EXPONENT_BYTES_MAX) return false;
  // With an exponent of 1 the signature is the message.
  return publicExponent.reduce((sum, byte) => sum * 256 + byte, 0) >= RSA_EXPONENT_MIN;
}

interface RsaParams {
  /** In bits. */
  readonly modulusLength: number;
  /** Big-endian. */
  readonly publicExponent: Uint8Array;
}
