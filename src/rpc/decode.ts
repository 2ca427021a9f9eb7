import {
  type DescField,
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonObject,
  type JsonValue,
  type MessageShape,
} from "@bufbuild/protobuf";
import { type FieldViolation, invalidArgument } from "../domain/fault.ts";
import { parseStrictJson, StrictJsonError } from "../domain/strict-json.ts";
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
  if (json === null || typeof json !== "object" || Array.isArray(json)) {
    throw invalidArgument({ field: "", description: "the body must be a JSON object" });
  }
  const unknown = Object.keys(json).filter((key) => fieldNamed(desc, key) === undefined);
  if (unknown.length > 0) throw invalidArgument(...unknown.slice(0, VIOLATIONS_MAX).map(unknownField));
  try {
    return fromCalendarJson(desc, json);
  } catch {
    throw invalidArgument(...misfits(desc, json));
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

const VIOLATIONS_MAX = 8;

const unknownField = (key: string): FieldViolation => ({
  field: key.slice(0, 64).toWellFormed(),
  description: "is not a field of this request",
});

function fieldNamed(desc: DescMessage, key: string): DescField | undefined {
  return desc.fields.find((field) => field.jsonName === key || field.name === key);
}

/** Which fields do not fit, found by decoding each alone. Says what they should be, never what they were. */
function misfits(desc: DescMessage, json: JsonObject): FieldViolation[] {
  const violations = Object.entries(json).flatMap(([key, value]) => {
    const field = fieldNamed(desc, key);
    if (field === undefined || decodes(desc, { [key]: value })) return [];
    return [{ field: field.name, description: `must be ${expected(field.message?.typeName)}` }];
  });
  return violations.length > 0 ? violations : [{ field: "", description: "a field is set more than once" }];
}

/** `fromJson` with dates that there are: by itself it reads 30 February as 2 March, and 24:00 as the next day. */
function fromCalendarJson<Desc extends DescMessage>(desc: Desc, json: JsonObject): MessageShape<Desc> {
  for (const [key, value] of Object.entries(json)) {
    const isTimestamp = fieldNamed(desc, key)?.message?.typeName === "google.protobuf.Timestamp";
    if (isTimestamp && typeof value === "string" && !isCalendarInstant(value))
      throw new RangeError("no such date");
  }
  return fromJson(desc, json);
}

function decodes(desc: DescMessage, json: JsonObject): boolean {
  try {
    fromCalendarJson(desc, json);
    return true;
  } catch {
    return false;
  }
}

function expected(typeName: string | undefined): string {
  switch (typeName) {
    case "google.protobuf.Timestamp":
      return "an RFC 3339 timestamp with a time zone in the years 1 to 9999";
    case "google.protobuf.Duration":
      return "a number of seconds that ends in s";
    default:
      return "of the type that the API reference names";
  }
}
