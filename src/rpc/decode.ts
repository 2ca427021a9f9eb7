import {
  type DescField,
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonObject,
  type JsonValue,
  type MessageShape,
  ScalarType,
} from "@bufbuild/protobuf";
import { type FieldViolation, invalidArgument } from "../domain/fault.ts";
import { isJsonObject, parseStrictJson, StrictJsonError } from "../domain/strict-json.ts";
import { isCalendarInstant } from "./instant.ts";

/** Bytes of a request body in which every key stands once and every character is one. @throws FaultError invalid_argument */
export function decodeStrictJson(bytes: Uint8Array): JsonValue {
  try {
    return parseStrictJson(bytes);
  } catch (err) {
    if (err instanceof StrictJsonError) throw invalidArgument(jsonViolation(err));
    throw err;
  }
}

function jsonViolation(err: StrictJsonError): FieldViolation {
  switch (err.problem) {
    case "utf8":
      return { field: "", description: "the body must be valid UTF-8 without a byte order mark" };
    case "duplicate_key":
      return { field: err.key.toWellFormed(), description: "stands in the body more than once" };
    case "too_deep":
      return { field: "", description: "the body is nested too deeply" };
    default:
      return { field: "", description: "the body must be valid JSON" };
  }
}

/** A message from proto JSON. Unknown fields are refused by name: a misspelt field must never mean its default. */
export function messageFromJson<Desc extends DescMessage>(desc: Desc, json: JsonValue): MessageShape<Desc> {
  if (!isJsonObject(json))
    throw invalidArgument({ field: "", description: "the body must be a JSON object" });
  const unknown = unknownFields(desc, json);
  if (unknown.length > 0) throw invalidArgument(...unknown.slice(0, VIOLATIONS_MAX));
  try {
    return fromStrictJson(desc, json);
  } catch {
    throw invalidArgument(...misfits(desc, json).slice(0, VIOLATIONS_MAX));
  }
}

/** A message from its binary encoding. Unknown fields are kept aside, as Protobuf has it: they are a newer client's. */
export function messageFromBinary<Desc extends DescMessage>(
  desc: Desc,
  bytes: Uint8Array,
): MessageShape<Desc> {
  try {
    return fromBinary(desc, bytes);
  } catch {
    throw invalidArgument({ field: "", description: `the bytes are not a ${desc.typeName}` });
  }
}

/** Violations that an answer names at most. */
export const VIOLATIONS_MAX = 8;

/** The violation for a key that is no field. It is the caller's text, so it is cut. */
export const unknownField = (key: string): FieldViolation => ({
  field: key.slice(0, 64).toWellFormed(),
  description: "is not a field of this request",
});

/** The field of this JSON or proto name. */
export const fieldNamed = (desc: DescMessage, key: string): DescField | undefined =>
  desc.fields.find((field) => field.jsonName === key || field.name === key);

/** What an item of this field must be: the field itself, or each of its list or map. */
export function itemForm(field: DescField): string {
  switch (field.message?.typeName) {
    case "google.protobuf.Timestamp":
      return "an RFC 3339 timestamp with a time zone in the years 1 to 9999";
    case "google.protobuf.Duration":
      return "a number of seconds that ends in s";
    case "google.protobuf.FieldMask":
      return "names of fields in lower camel case with commas between them";
  }
  if (field.scalar === ScalarType.STRING) return "a string";
  if (field.scalar === ScalarType.BOOL) return "true or false";
  return isInteger(field) ? "a whole number in range" : "of the type that the API reference names";
}

/** Whether the items of this field are whole numbers, of any width. */
export const isInteger = (field: DescField): boolean =>
  field.scalar !== undefined && INTEGERS.has(field.scalar);

const INTEGERS: ReadonlySet<ScalarType> = new Set([
  ScalarType.INT32,
  ScalarType.SINT32,
  ScalarType.UINT32,
  ScalarType.FIXED32,
  ScalarType.SFIXED32,
  ScalarType.INT64,
  ScalarType.SINT64,
  ScalarType.UINT64,
  ScalarType.FIXED64,
  ScalarType.SFIXED64,
]);

function unknownFields(desc: DescMessage, json: JsonObject, path = ""): FieldViolation[] {
  return Object.entries(json).flatMap(([key, value]) => {
    const field = fieldNamed(desc, key);
    if (field === undefined) return [unknownField(path + key)];
    return nestedIn(field, value).flatMap(([nested, item]) =>
      unknownFields(nested, item, `${path}${field.name}.`),
    );
  });
}

/** Which fields do not fit, found by decoding each alone. Says what they should be, never what they were. */
function misfits(desc: DescMessage, json: JsonObject): FieldViolation[] {
  const violations = Object.entries(json).flatMap(([key, value]) => {
    const field = fieldNamed(desc, key);
    if (field === undefined || decodes(desc, { [key]: value })) return [];
    return [{ field: field.name, description: `must be ${form(field)}` }];
  });
  return violations.length > 0 ? violations : [{ field: "", description: "a field is set more than once" }];
}

function form(field: DescField): string {
  if (field.fieldKind === "list") return `a list and each item ${itemForm(field)}`;
  return field.fieldKind === "map" ? `an object and each value ${itemForm(field)}` : itemForm(field);
}

function decodes(desc: DescMessage, json: JsonObject): boolean {
  try {
    fromStrictJson(desc, json);
    return true;
  } catch {
    return false;
  }
}

/** `fromJson` without its leniency: it reads 30 February as 2 March, `1s or so` as one second and "0x10" as sixteen. */
function fromStrictJson<Desc extends DescMessage>(desc: Desc, json: JsonObject): MessageShape<Desc> {
  if (!hasForms(desc, json)) throw new RangeError("a text has not the form of its field");
  return fromJson(desc, json);
}

function hasForms(desc: DescMessage, json: JsonObject): boolean {
  return Object.entries(json).every(([key, value]) => {
    const field = fieldNamed(desc, key);
    if (field === undefined) return true;
    const texts = itemsOf(field, value).filter((item) => typeof item === "string");
    return (
      texts.every((text) => hasForm(field, text)) &&
      nestedIn(field, value).every(([nested, item]) => hasForms(nested, item))
    );
  });
}

function hasForm(field: DescField, text: string): boolean {
  if (isInteger(field)) return /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text);
  switch (field.message?.typeName) {
    case "google.protobuf.Timestamp":
      return isCalendarInstant(text);
    case "google.protobuf.Duration":
      return /^-?\d+(\.\d{1,9})?s$/.test(text);
    default:
      return true;
  }
}

/** The objects in a field's JSON that are messages field by field, which Protobuf's own types are not. */
function nestedIn(field: DescField, value: JsonValue): [DescMessage, JsonObject][] {
  const { message } = field;
  if (message === undefined || message.typeName.startsWith("google.protobuf.")) return [];
  return itemsOf(field, value)
    .filter((item) => isJsonObject(item))
    .map((item) => [message, item]);
}

function itemsOf(field: DescField, value: JsonValue): JsonValue[] {
  if (field.fieldKind === "list" && Array.isArray(value)) return value;
  return field.fieldKind === "map" && isJsonObject(value) ? Object.values(value) : [value];
}
