/**
 * JSON with one meaning only (RFC 8259, and I-JSON, RFC 7493, where that leaves a choice). `JSON.parse` silently takes
 * the last of two equal keys; another reader in the chain may take the first, and between the two lives an attack.
 */

export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;
export type JsonObject = { [key: string]: JsonValue };

/** Deepest nesting of arrays and objects; a bare `[]` has depth 1. */
export const JSON_DEPTH_MAX = 32;

const REPORTED_KEY_LENGTH_MAX = 64;

export type StrictJsonProblem = "utf8" | "syntax" | "duplicate_key" | "lone_surrogate" | "too_deep";

/** `message` is the problem alone: the text may hold secrets, so nothing of it is repeated but `path` and `key`. */
export class StrictJsonError extends Error {
  readonly problem: StrictJsonProblem;
  /** The object that holds the duplicate key, such as `policy.rules[2]`; empty at the top and for other problems. */
  readonly path: string;
  /** The duplicate key, cut to 64 characters; empty for other problems. */
  readonly key: string;

  constructor(problem: StrictJsonProblem, place: { path?: string; key?: string; cause?: unknown } = {}) {
    super(problem, place.cause === undefined ? undefined : { cause: place.cause });
    this.name = "StrictJsonError";
    this.problem = problem;
    this.path = place.path ?? "";
    this.key = shortened(place.key ?? "");
  }
}

/**
 * Reads one JSON text. The value is exactly what `JSON.parse` gives: a number too large becomes `Infinity`, and a key
 * `__proto__` is a plain own property.
 * @throws StrictJsonError for bytes that are not UTF-8, a byte order mark or any other syntax error, a key that occurs
 * twice in one object (however it is escaped), a lone surrogate, or nesting beyond {@link JSON_DEPTH_MAX}.
 */
export function parseStrictJson(input: Uint8Array | string): JsonValue {
  const text = typeof input === "string" ? input : decodeUtf8(input);
  const value = parse(text);
  if (!text.isWellFormed()) throw new StrictJsonError("lone_surrogate");
  refuseAmbiguity(text);
  return value;
}

/** True for what JSON calls an object, which `typeof` alone does not tell. */
export const isJsonObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

// `ignoreBOM` keeps the mark in the text, where the grammar then refuses it.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new StrictJsonError("utf8");
  }
}

function parse(text: string): JsonValue {
  try {
    return JSON.parse(text);
  } catch {
    // The engine's own message quotes the text, so it is not kept as the cause.
    throw new StrictJsonError("syntax");
  }
}

/** An array or object whose end has not been seen yet. */
interface Open {
  /** The keys seen so far; undefined for an array. */
  readonly keys: Set<string> | undefined;
  key: string;
  index: number;
  keyExpected: boolean;
}

/** One pass over a text that is known to be JSON, so that only the structure has to be recognised. */
function refuseAmbiguity(text: string): void {
  const stack: Open[] = [];
  let top: Open | undefined;
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case "{":
        top = enter(stack, { keys: new Set(), key: "", index: 0, keyExpected: true });
        break;
      case "[":
        top = enter(stack, { keys: undefined, key: "", index: 0, keyExpected: false });
        break;
      case "}":
      case "]":
        stack.pop();
        top = stack.at(-1);
        break;
      case ",":
        if (top?.keys) top.keyExpected = true;
        else if (top) top.index++;
        break;
      case '"':
        at = readString(text, at, stack, top);
        break;
    }
  }
}

function enter(stack: Open[], opened: Open): Open {
  if (stack.length === JSON_DEPTH_MAX) throw new StrictJsonError("too_deep");
  stack.push(opened);
  return opened;
}

/** @returns the index of the closing quote. */
function readString(text: string, start: number, stack: readonly Open[], top: Open | undefined): number {
  let end = start + 1;
  let escaped = false;
  for (; text[end] !== '"'; end++) {
    if (text[end] !== "\\") continue;
    escaped = true;
    end++;
  }
  const isKey = top?.keyExpected === true;
  if (escaped || isKey) {
    // A key is compared as it will be read: "\u0061" is "a".
    const value: string = escaped ? JSON.parse(text.slice(start, end + 1)) : text.slice(start + 1, end);
    if (escaped && !value.isWellFormed()) throw new StrictJsonError("lone_surrogate");
    if (isKey) noteKey(value, stack, top);
  }
  return end;
}

function noteKey(key: string, stack: readonly Open[], top: Open): void {
  if (top.keys?.has(key)) throw new StrictJsonError("duplicate_key", { path: pathOf(stack), key });
  top.keys?.add(key);
  top.key = key;
  top.keyExpected = false;
}

/** The place of the innermost open object, read from the ones around it. */
function pathOf(stack: readonly Open[]): string {
  let path = "";
  for (const { keys, key, index } of stack.slice(0, -1)) {
    if (keys === undefined) path += `[${index}]`;
    else path += path === "" ? shortened(key) : `.${shortened(key)}`;
  }
  return path;
}

const shortened = (key: string): string => key.slice(0, REPORTED_KEY_LENGTH_MAX).toWellFormed();
