/** Only signatures with a public key: with a shared secret, whoever checks a token could also make one. */
export interface Algorithm {
  /** The `alg` header values that mean it (RFC 7518 section 3.1; Ed25519 has two names, RFC 8037 and RFC 9864). */
  readonly names: readonly string[];
  readonly kty: "EC" | "RSA" | "OKP";
  /** The one curve that fits; undefined for RSA. */
  readonly crv?: string;
  /** What `crypto.subtle.verify` wants to hear. */
  readonly verifyParams: VerifyParams;
}

type VerifyParams =
  | { readonly name: "ECDSA"; readonly hash: string }
  | { readonly name: "RSASSA-PKCS1-v1_5" }
  | { readonly name: "RSA-PSS"; readonly saltLength: number }
  | { readonly name: "Ed25519" };

const ecdsa = (name: string, crv: string, hash: string): Algorithm => ({
  names: [name],
  kty: "EC",
  crv,
  verifyParams: { name: "ECDSA", hash },
});

const rsa = (name: string): Algorithm => ({
  names: [name],
  kty: "RSA",
  verifyParams: { name: "RSASSA-PKCS1-v1_5" },
});

/** RFC 7518 section 3.5: the salt is as long as the hash. */
const pss = (name: string, saltLength: number): Algorithm => ({
  names: [name],
  kty: "RSA",
  verifyParams: { name: "RSA-PSS", saltLength },
});

const algorithms: readonly Algorithm[] = [
  ecdsa("ES256", "P-256", "SHA-256"),
  ecdsa("ES384", "P-384", "SHA-384"),
  ecdsa("ES512", "P-521", "SHA-512"),
  rsa("RS256"),
  rsa("RS384"),
  rsa("RS512"),
  pss("PS256", 32),
  pss("PS384", 48),
  pss("PS512", 64),
  { names: ["EdDSA", "Ed25519"], kty: "OKP", crv: "Ed25519", verifyParams: { name: "Ed25519" } },
];

const byName = new Map(algorithms.flatMap((algorithm) => algorithm.names.map((name) => [name, algorithm])));

/** The algorithm of an `alg` value; undefined for `none`, the HMAC ones and everything else that is not allowed. */
export const algorithmNamed = (name: unknown): Algorithm | undefined =>
  typeof name === "string" ? byName.get(name) : undefined;

/**
 * The one algorithm of a key that does not name its own. A curve fits one algorithm; an RSA key would fit six, and gets
 * the one that every issuer can do.
 */
export function algorithmFitting(kty: unknown, crv: unknown): Algorithm | undefined {
  if (kty === "RSA") return algorithmNamed("RS256");
  return algorithms.find((algorithm) => algorithm.kty === kty && algorithm.crv === crv);
}
