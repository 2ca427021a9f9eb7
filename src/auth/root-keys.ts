import { createSecretKey, hkdfSync, type KeyObject } from "node:crypto";

/**
 * The operator's root keys and what is derived from them. Keys are `KeyObject`s from the moment they are read: those print
 * as `SecretKeyObject {}`, so no log line shows one, and HMAC takes them several times faster than plain bytes.
 */

const KEY_BYTES = 32;

/** The current key, with which new things are made, then the retired ones, with which old things are still recognized. */
export type KeyRing = readonly [current: KeyObject, ...retired: KeyObject[]];

/** What each derived key is for, and the HKDF `info` that keeps it apart from all others. A new purpose is a new line. */
const PURPOSES = {
  secretTag: "keyturn secret tag",
  pageToken: "keyturn page token",
  replay: "keyturn replay seal",
  signingKey: "keyturn signing key seal",
} as const;

export type DerivedKeys = { readonly [Purpose in keyof typeof PURPOSES]: KeyRing };

/**
 * Reads root keys from a file or variable: standard base64 (padded or not) of 32 bytes each, separated by commas, current first, then retired ones;
 * white space around a key is ignored. A problem names the key by its place and never quotes it.
 */
export function parseRootKeys(text: string): { readonly keys: KeyRing } | { readonly problem: string } {
  const keys: KeyObject[] = [];
  for (const [index, part] of text.split(",").entries()) {
    const key = parseKey(part.trim());
    if (typeof key === "string") return { problem: `root key ${index + 1} ${key}` };
    const twin = keys.findIndex((other) => other.equals(key));
    if (twin >= 0) return { problem: `root key ${index + 1} is the same as root key ${twin + 1}` };
    keys.push(key);
  }
  return { keys: keys as [KeyObject, ...KeyObject[]] };
}

/** One key for each purpose from each root key (HKDF-SHA256, RFC 5869, no salt), in the order of the root keys. */
export function deriveKeys(rootKeys: KeyRing): DerivedKeys {
  const derive = (info: string): KeyRing => {
    const [current, ...retired] = rootKeys;
    return [expand(current, info), ...retired.map((key) => expand(key, info))];
  };
  return Object.fromEntries(
    Object.entries(PURPOSES).map(([purpose, info]) => [purpose, derive(info)]),
  ) as DerivedKeys;
}

/** The key, or what is wrong with it. */
function parseKey(text: string): KeyObject | string {
  if (text === "") return "is empty";
  const bytes = Buffer.from(text, "base64");
  // Node's decoder skips what it does not know. Only a text that encodes back to itself says what its author meant.
  const encoded = bytes.toString("base64");
  if (text !== encoded && text !== encoded.replace(/=+$/, "")) return "is not standard base64";
  if (bytes.length !== KEY_BYTES) return `has ${bytes.length} bytes instead of ${KEY_BYTES}`;
  return createSecretKey(bytes);
}

const expand = (key: KeyObject, info: string): KeyObject =>
  createSecretKey(Buffer.from(hkdfSync("sha256", key, "", info, KEY_BYTES)));
