import {
  type DescEnum,
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type MessageShape,
  toJson,
} from "@bufbuild/protobuf";

/** Proto JSON as the REST edge writes it: enum values as lower-case words, `CREDENTIAL_STATUS_ACTIVE` as `active`. */
export function toRestJson(desc: DescMessage, message: MessageShape<DescMessage>): JsonObject {
  return withWords(desc, toJson(desc, message) as JsonObject);
}

function withWords(desc: DescMessage, json: JsonObject): JsonObject {
  const out: JsonObject = { ...json };
  for (const field of desc.fields) {
    const value = out[field.jsonName];
    if (value !== undefined) out[field.jsonName] = fieldWithWords(field, value);
  }
  return out;
}

function fieldWithWords(field: DescField, value: JsonValue): JsonValue {
  if (field.fieldKind === "list" && Array.isArray(value))
    return value.map((item) => itemWithWords(field, item));
  return field.fieldKind === "map" ? value : itemWithWords(field, value);
}

function itemWithWords(field: DescField, value: JsonValue): JsonValue {
  if (field.enum !== undefined && typeof value === "string") return word(field.enum, value);
  const isOwn = field.message?.file.proto.package.startsWith("keyturn.") === true;
  if (
    isOwn &&
    field.message !== undefined &&
    value !== null &&
    typeof value === "object" &&
    !Array.isArray(value)
  ) {
    return withWords(field.message, value);
  }
  return value;
}

function word(desc: DescEnum, name: string): string {
  return name.slice(desc.sharedPrefix?.length ?? 0).toLowerCase();
}
