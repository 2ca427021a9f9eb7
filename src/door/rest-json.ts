import {
  type DescField,
  type DescMessage,
  getOption,
  type JsonObject,
  type JsonValue,
  type MessageShape,
  toJson,
} from "@bufbuild/protobuf";
import { FieldBehavior, field_behavior } from "../../gen/google/api/field_behavior_pb.ts";
import { isJsonObject } from "../domain/strict-json.ts";
import { isOwn, mapItems, wordOf } from "./rest-words.ts";

/**
 * Proto JSON as the REST edge writes it: enum values as lower-case words, and a list without items as `[]`, unless its
 * field is OPTIONAL. What else has its default value and no presence is left out, as in all proto JSON.
 */
export function toRestJson(desc: DescMessage, message: MessageShape<DescMessage>): JsonObject {
  return edgeJson(desc, toJson(desc, message) as JsonObject);
}

function edgeJson(desc: DescMessage, json: JsonObject): JsonObject {
  if (!isOwn(desc)) return json;
  const edge: JsonObject = {};
  for (const field of desc.fields) {
    const value = json[field.jsonName] ?? (isAlwaysThere(field) ? [] : undefined);
    if (value !== undefined) edge[field.jsonName] = mapItems(field, value, (item) => edgeItem(field, item));
  }
  return edge;
}

/** Whether a list stands in an answer also when it has no items. */
export const isAlwaysThere = (field: DescField): boolean =>
  field.fieldKind === "list" && !getOption(field, field_behavior).includes(FieldBehavior.OPTIONAL);

function edgeItem(field: DescField, item: JsonValue): JsonValue {
  if (field.enum !== undefined && isOwn(field.enum) && typeof item === "string")
    return wordOf(field.enum, item);
  return field.message !== undefined && isJsonObject(item) ? edgeJson(field.message, item) : item;
}
