import type { DescField, DescMessage, JsonObject, JsonValue, MessageShape } from "@bufbuild/protobuf";
import { type FieldViolation, invalidArgument } from "../domain/fault.ts";
import { isJsonObject } from "../domain/strict-json.ts";
import { fieldNamed, messageFromJson, unknownField, VIOLATIONS_MAX } from "../rpc/decode.ts";
import { decodePercent, type Fields, queryFields, type Refuse } from "./rest-query.ts";
import { isOwn, mapItems, nameOfWord, wordsOf } from "./rest-words.ts";
import { isInPath, type PathVariables, type Route } from "./routes.ts";

/** The parts of a request that its message is put together from. */
export interface RestRequest {
  readonly route: Route;
  readonly variables: PathVariables;
  /** What follows the first `?`, as it was sent; empty when there is none. */
  readonly query: string;
  /** Empty for a binding without one. */
  readonly body: JsonObject;
  /** The header `Idempotency-Key`. */
  readonly idempotencyKey: string | undefined;
}

/** Fields that say how an update is done, and not what is changed (AIP-134, AIP-154, AIP-155, AIP-163). */
const BESIDE_THE_RESOURCE = ["update_mask", "etag", "validate_only", "request_id"];

/** Whether a field of an update is, or names, what is changed. */
export const isOfTheResource = ({ name }: DescField): boolean => !BESIDE_THE_RESOURCE.includes(name);

/**
 * The message of a request. Everything that is wrong with its shape is named at once, up to eight violations.
 * @throws FaultError invalid_argument
 */
export function restMessage(req: RestRequest): MessageShape<DescMessage> {
  const { input } = req.route.method;
  const violations: FieldViolation[] = [];
  const refuse: Refuse = (field, description) => void violations.push({ field, description });

  const fields = queryFields(req.route, req.query, refuse);
  addBody(req.route, req.body, fields, refuse);
  addUpdateMask(req.route, fields);
  addRequestId(input, fields, req.idempotencyKey, refuse);
  addPath(fields, req.variables, refuse);
  if (violations.length > 0) throw invalidArgument(...violations.slice(0, VIOLATIONS_MAX));
  const json: JsonObject = {};
  for (const [field, value] of fields) json[field.jsonName] = value;
  return messageFromJson(input, json);
}

/** The members of a body. `null` means absent, also for a field that stands in the path. */
function addBody(route: Route, body: JsonObject, fields: Fields, refuse: Refuse): void {
  const seen = new Set<DescField>();
  for (const [key, json] of Object.entries(body)) {
    const field = fieldNamed(route.method.input, key);
    if (field === undefined) {
      const { field: name, description } = unknownField(key);
      refuse(name, description);
      continue;
    }
    if (seen.has(field)) refuse(field.name, "stands in the body more than once");
    else if (json !== null && isInPath(route, field)) refuse(key, "belongs in the path and not in the body");
    else if (json !== null) fields.set(field, withNames(field, json, field.name, refuse));
    seen.add(field);
  }
}

/** Proto JSON of a field whose enum values came as words. */
function withNames(field: DescField, json: JsonValue, path: string, refuse: Refuse): JsonValue {
  return mapItems(field, json, (item) => {
    if (item === null) return item;
    if (field.enum !== undefined && isOwn(field.enum)) {
      const name = nameOfWord(field.enum, item);
      if (name === undefined) refuse(path, `must be ${wordsOf(field.enum)}`);
      return name ?? item;
    }
    const { message } = field;
    if (message === undefined || !isOwn(message) || !isJsonObject(item)) return item;
    return membersWithNames(message, item, path, refuse);
  });
}

/** What is no field stays: it is refused by its name when the message is read. */
function membersWithNames(desc: DescMessage, json: JsonObject, path: string, refuse: Refuse): JsonObject {
  const members = Object.entries(json).map(([key, value]): [string, JsonValue] => {
    const field = fieldNamed(desc, key);
    return [key, field === undefined ? value : withNames(field, value, `${path}.${field.name}`, refuse)];
  });
  return Object.fromEntries(members);
}

/** Who sends a PATCH without a mask means the fields that he sends, so that one of them may also be emptied. */
function addUpdateMask(route: Route, fields: Fields): void {
  if (route.httpMethod !== "PATCH") return;
  const mask = route.method.input.fields.find(({ name }) => name === "update_mask");
  const isMask = mask?.message?.typeName === "google.protobuf.FieldMask";
  if (mask === undefined || !isMask || fields.has(mask)) return;
  const changed = [...fields.keys()].filter(isOfTheResource);
  fields.set(mask, changed.map(({ jsonName }) => jsonName).join(","));
}

function addRequestId(
  desc: DescMessage,
  fields: Fields,
  idempotencyKey: string | undefined,
  refuse: Refuse,
): void {
  if (idempotencyKey === undefined) return;
  const field = desc.fields.find(({ name }) => name === "request_id");
  if (field === undefined) return;
  const sent = fields.get(field);
  if (idempotencyKey === "") refuse(field.name, "must not be empty in the header Idempotency-Key");
  else if (sent !== undefined && sent !== idempotencyKey)
    refuse(field.name, "must be the same as in the header Idempotency-Key");
  else fields.set(field, idempotencyKey);
}

function addPath(fields: Fields, variables: PathVariables, refuse: Refuse): void {
  for (const [field, raw] of variables) {
    const text = decodePercent(raw);
    if (text === undefined) refuse(field.name, "is not valid percent encoding");
    else if (text === "") refuse(field.name, "must not be empty");
    else fields.set(field, text);
  }
}
