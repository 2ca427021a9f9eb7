import { createSecretKey, hash, hkdfSync, type KeyObject } from "node:crypto";
import type { RandomBytes } from "../domain/secret.ts";
import { open, seal } from "./aes-gcm.ts";
import type { KeyRing } from "./root-keys.ts";

/**
 * Makes create and rotate repeatable: the secret that a call issued is kept so that only its caller's own request id and
 * the server's key together open it. Both what names the request and what seals the secret come from that id by
 * HKDF-SHA256 (RFC 5869) under different `info`, so the one that is stored says nothing about the other.
 *
 * A version 4 UUID has 122 random bits, too many to guess, so the server's keys alone open no dump of the database. Nor
 * does the id alone, which a caller may well send as X-Request-Id too, and that is logged and kept: the server's key is
 * the salt of the sealing key. It has no part in the hashes, so that no rotation of root keys forgets a request.
 * The secret is sealed by `aes-gcm.ts`, with the credential id as context.
 */

const KEY_BYTES = 32;
const NO_SALT = "";
const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** One for each purpose. Another release repeats what this one began, so they change only together with the number. */
const REQUEST_HASH_INFO = "keyturn replay request hash 1";
const SEALING_KEY_INFO = "keyturn replay sealing key 1";

/** A repeatable request: what the database keeps of it, and the seal for its secret. */
export interface ReplayKey {
  /** 32 bytes derived with SHA-256; names the request, for this caller only, whatever the server's keys are. */
  readonly requestHash: Buffer;
  /** SHA-256 of the request itself: another one under the same id is refused. */
  readonly bodyHash: Buffer;
  /** A client secret, readable only with the same request id, owner and credential id, and the current server key. */
  seal(clientSecret: string, credentialId: string): Buffer;
  /** Tries the current server key, then the retired ones. @throws Error when none of them sealed it so: fails closed. */
  open(sealed: Uint8Array, credentialId: string): string;
}

/**
 * Id and keys live in a closure and in `KeyObject`s, so that a printed `ReplayKey` shows nothing but the hashes.
 * @throws TypeError for a request id that is no version 4 UUID: a guessable id would be half a key that anybody has.
 */
export function replayKey(
  of: {
    /** Version 4 UUID in any case: upper and lower case name the same request. */
    readonly requestId: string;
    /** Organization id, issuer and subject: another caller's equal id is another request. */
    readonly owner: readonly string[];
    /** Canonical bytes of the request without its request id. They must tell one method from another. */
    readonly body: Uint8Array;
  },
  deps: {
    /** The server's, for this purpose. A retired one stays for as long as a request may be repeated. */
    readonly keys: KeyRing;
    readonly randomBytes: RandomBytes;
  },
): ReplayKey {
  const requestId = of.requestId.toLowerCase();
  if (!UUID_V4.test(requestId)) throw new TypeError("not a version 4 UUID");
  const sealingKey = (serverKey: KeyObject): KeyObject =>
    createSecretKey(derive(requestId, serverKey.export(), SEALING_KEY_INFO, of.owner));
  return {
    requestHash: derive(requestId, NO_SALT, REQUEST_HASH_INFO, of.owner),
    bodyHash: hash("sha256", of.body, "buffer"),
    seal: (clientSecret, credentialId) =>
      seal(sealingKey(deps.keys[0]), clientSecret, credentialId, deps.randomBytes),
    open(sealed, credentialId) {
      for (const serverKey of deps.keys) {
        const clientSecret = open(sealingKey(serverKey), sealed, credentialId);
        if (clientSecret !== undefined) return clientSecret.toString();
      }
      throw new Error("the sealed secret does not open");
    },
  };
}

/** The owner goes in as a hash, for Node takes no `info` over 1,024 bytes, of JSON, which keeps `a,b` and `a`, `b` apart. */
function derive(
  requestId: string,
  salt: Uint8Array | string,
  info: string,
  owner: readonly string[],
): Buffer {
  const ownerHash = hash("sha256", JSON.stringify(owner));
  return Buffer.from(hkdfSync("sha256", requestId, salt, `${info} ${ownerHash}`, KEY_BYTES));
}
