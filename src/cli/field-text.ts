import { type DescField, type JsonObject, type JsonValue, ScalarType } from "@bufbuild/protobuf";
import { InvalidArgumentError, Option } from "commander";
import { nameOfWord, wordsOf } from "../door/rest-words.ts";

/** A field of a request as an option: its name, its form, and how its text becomes proto JSON. */
export function optionOf(field: DescField, words: string, isRequired: boolean): Option {
  const flag = `--${field.name.replaceAll("_", "-")}`;
  if (field.scalar === ScalarType.BOOL) return new Option(flag, words);
  const option = new Option(`${flag} <${placeholderOf(field)}>`, wordsWithForm(field, words));
  option.argParser((text: string, earlier?: JsonValue) => parse(field, text, earlier));
  return option.makeOptionMandatory(isRequired);
}

function wordsWithForm(field: DescField, words: string): string {
  return field.enum === undefined ? words : `${words}: ${wordsOf(field.enum)}`;
}

function placeholderOf(field: DescField): string {
  if (field.fieldKind === "map") return "key=value";
  switch (field.message?.typeName) {
    case "google.protobuf.Timestamp":
      return "instant";
    case "google.protobuf.Duration":
      return "duration";
    default:
      return field.scalar === ScalarType.INT32 ? "number" : (field.name.split("_").at(-1) ?? field.name);
  }
}

/** Options of lists and maps may stand several times, and hold several items each. */
function parse(field: DescField, text: string, earlier: JsonValue | undefined): JsonValue {
  const items = text.split(",").filter((item) => item !== "");
  if (field.fieldKind === "list") {
    return [...((earlier as JsonValue[] | undefined) ?? []), ...items.map((item) => itemOf(field, item))];
  }
  if (field.fieldKind === "map") {
    return { ...(earlier as JsonObject | undefined), ...Object.fromEntries(items.map(pairOf)) };
  }
  return itemOf(field, text);
}

function itemOf(field: DescField, text: string): JsonValue {
  if (field.enum !== undefined) {
    return nameOfWord(field.enum, text) ?? refuse(`must be ${wordsOf(field.enum)}`);
  }
  switch (field.message?.typeName) {
    case "google.protobuf.Timestamp":
      return instantOf(text);
    case "google.protobuf.Duration":
      return `${secondsOf(text)}s`;
  }
  if (field.scalar !== ScalarType.INT32) return text;
  return /^-?\d{1,9}$/.test(text) ? Number(text) : refuse("must be a whole number");
}

/** As RFC 3339 has it, with a zone: a time of day that depends on who reads it is none. */
function instantOf(text: string): string {
  const hasForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.test(text);
  if (hasForm && !Number.isNaN(Date.parse(text))) return text;
  return refuse("must be an instant such as 2027-01-31T00:00:00Z");
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** A number and a unit, as in the variables of the service. */
export function secondsOf(text: string): number {
  const [, digits, unit = ""] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  if (digits === undefined) return refuse("must be a number and a unit, such as 90d, 12h, 30m or 60s");
  return Number(digits) * (UNIT_SECONDS[unit] ?? 1);
}

function pairOf(text: string): [string, string] {
  const at = text.indexOf("=");
  return at > 0 ? [text.slice(0, at), text.slice(at + 1)] : refuse("must be key=value");
}

function refuse(description: string): never {
  throw new InvalidArgumentError(description);
}
