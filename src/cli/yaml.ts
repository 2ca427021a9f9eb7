import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

/**
 * JSON in YAML's block style. YAML 1.2 reads every JSON text as it stands, so whatever is not plainly a word is written
 * as JSON writes it, and no parser can take it for a number, a date or a boolean.
 */
export const yamlOf = (value: JsonObject): string => linesOf(value).join("\n").concat("\n");

/** One item of a list, indented as it stands below the list's name. */
export const yamlItem = (value: JsonObject): string =>
  inList(value)
    .map((line) => `  ${line}`)
    .join("\n")
    .concat("\n");

function linesOf(value: JsonObject): string[] {
  return Object.entries(value).flatMap(([key, item]) => {
    if (isEmpty(item) || !isCompound(item)) return [`${scalar(key)}: ${scalar(item)}`];
    const below = Array.isArray(item) ? item.flatMap(inList) : linesOf(item);
    return [`${scalar(key)}:`, ...below.map((line) => `  ${line}`)];
  });
}

function inList(item: JsonValue): string[] {
  if (!isCompound(item) || Array.isArray(item) || isEmpty(item)) return [`- ${scalar(item)}`];
  return linesOf(item).map((line, index) => `${index === 0 ? "-" : " "} ${line}`);
}

const isCompound = (value: JsonValue): value is JsonObject | JsonValue[] =>
  typeof value === "object" && value !== null;

const isEmpty = (value: JsonValue): boolean => isCompound(value) && Object.keys(value).length === 0;

function scalar(value: JsonValue): string {
  const isPlain = typeof value === "string" && PLAIN.test(value) && !SPECIAL.test(value);
  return isPlain ? value : JSON.stringify(value);
}

const PLAIN = /^[A-Za-z][A-Za-z0-9_./@-]*$/;
/** Words that YAML 1.1 or 1.2 reads as something else than a text. */
const SPECIAL = /^(true|false|yes|no|on|off|y|n|null|nan|inf)$/i;
