/** The public half of a signing key, as it is published (RFC 7517, RFC 7518 section 6.2.1). */
export interface PublicJwk {
  readonly kty: "EC";
  readonly crv: "P-256";
  readonly x: string;
  readonly y: string;
  /** Thumbprint of the key (RFC 7638). */
  readonly kid: string;
  readonly alg: "ES256";
  readonly use: "sig";
}

/** A signing key whose private half only the holder of the root key can read. */
export interface SealedSigningKey {
  readonly kid: string;
  readonly sealedPrivateKey: Buffer;
}

/** A signing key as the database keeps it. */
export interface StoredSigningKey extends SealedSigningKey {
  /** From when on it signs, by the database's clock; published it is at once. */
  readonly signsFrom: Date;
}

export interface NewSigningKey extends SealedSigningKey {
  readonly publicJwk: PublicJwk;
  /** It is only added while the newest key has signed for this long; undefined adds it whatever there is. */
  readonly ageSecondsMax: number | undefined;
  /** How long before it signs it is published. The very first key signs at once. */
  readonly publishAheadSeconds: number;
}

/** All that is stored, those that sign first before the others. */
export interface StoredSigningKeys {
  readonly keys: readonly StoredSigningKey[];
  /** The database's clock when it read them. */
  readonly readAt: Date;
}
