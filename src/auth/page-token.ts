import type { RandomBytes } from "../domain/secret.ts";
import { open, seal } from "./aes-gcm.ts";
import type { KeyRing } from "./root-keys.ts";

/**
 * Page tokens (AIP-158): where the next page of a list begins, sealed so that a caller can neither read a position nor make
 * one up. A token is the base64url, without padding, of the position as a JSON array of strings, sealed by `aes-gcm.ts`.
 * It says where to go on and never who may read: each page is authorized anew.
 */

/** Authenticated with the binding: a token of another format does not open, whatever it holds. */
const FORMAT = "keyturn page token 1";

/** Longest token that is made or looked at, in characters: room for a position of 740 bytes. */
export const PAGE_TOKEN_LENGTH_MAX = 1024;

export interface PageTokens {
  /**
   * An opaque token for a position in a list, bound to what the list is of: whoever opens it must name the same.
   * @throws RangeError for a position so long that the token would be refused on its return.
   */
  seal(binding: readonly string[], position: readonly string[]): string;
  /** The position, or undefined for whatever is not a token of ours with this very binding. Never throws. */
  open(binding: readonly string[], token: string): readonly string[] | undefined;
}

/**
 * Seals with the current key and opens with every key of the ring. After 2^32 tokens under one key a nonce may repeat,
 * which would tell a caller positions and let it make some up: it says nothing of what it has no right to read.
 */
export function createPageTokens(keys: KeyRing, randomBytes: RandomBytes): PageTokens {
  return {
    seal(binding, position) {
      const sealed = seal(keys[0], JSON.stringify(position), contextOf(binding), randomBytes);
      const token = sealed.toString("base64url");
      if (token.length > PAGE_TOKEN_LENGTH_MAX)
        throw new RangeError("the position is too long for a page token");
      return token;
    },
    open(binding, token) {
      const sealed = decodeToken(token);
      if (sealed === undefined) return undefined;
      const context = contextOf(binding);
      for (const key of keys) {
        const position = open(key, sealed, context);
        // What opens was written by `seal`, so it is read as such.
        if (position !== undefined) return JSON.parse(position.toString());
      }
      return undefined;
    },
  };
}

/** JSON keeps `["a","b"]`, `["a,b"]` and `["ab"]` apart, and lone surrogates too, which plain UTF-8 would make one. */
const contextOf = (binding: readonly string[]): string => JSON.stringify([FORMAT, ...binding]);

/**
 * Undefined for what could not be a token. Node's decoder skips what it does not know, so only a text that encodes back to
 * itself counts: one token, one spelling (RFC 4648 section 3.5).
 */
function decodeToken(token: string): Buffer | undefined {
  if (token.length > PAGE_TOKEN_LENGTH_MAX) return undefined;
  const sealed = Buffer.from(token, "base64url");
  return sealed.toString("base64url") === token ? sealed : undefined;
}
