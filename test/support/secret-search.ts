const SLICE = 12;
const PLACES_MAX = 5;

/** Looks for texts, whole or in part, in whatever a service has written. */
export interface SecretSearch {
  /** The first places where slices of the texts stand, in clear, base64 or hex: a few characters of each, none in full. */
  find(haystack: string): string[];
}

/**
 * Every 12 neighbouring characters of each text, in clear, in hex of either case, and in base64 and base64url wherever
 * in its groups of three bytes the slice may stand.
 */
export function searchFor(texts: readonly string[]): SecretSearch {
  const needles = new Map<number, Set<string>>();
  for (const needle of texts.flatMap(slicesOf).flatMap(spellingsOf)) {
    const sameLength = needles.get(needle.length) ?? new Set();
    needles.set(needle.length, sameLength.add(needle));
  }
  return {
    find(haystack) {
      const found = new Set<string>();
      // Only where characters of these alphabets stand together can a slice stand.
      for (const [run] of haystack.matchAll(/[A-Za-z0-9+/_-]{12,}/g)) {
        for (const [length, wanted] of needles) {
          for (let at = 0; at + length <= run.length; at += 1) {
            if (wanted.has(run.slice(at, at + length)))
              found.add(`${run.slice(at, at + 4)}… in ${run.length} characters`);
          }
        }
      }
      return [...found].slice(0, PLACES_MAX);
    },
  };
}

function slicesOf(text: string): string[] {
  return Array.from({ length: text.length - SLICE + 1 }, (_, at) => text.slice(at, at + SLICE));
}

function spellingsOf(slice: string): string[] {
  const bytes = Buffer.from(slice);
  const hex = bytes.toString("hex");
  const base64 = [0, 1, 2].flatMap((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString("base64");
    // What a character before or after the slice has a part in is not known: leave it away.
    const inner = encoded.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6));
    return [inner, inner.replaceAll("+", "-").replaceAll("/", "_")];
  });
  return [slice, hex, hex.toUpperCase(), ...base64];
}
