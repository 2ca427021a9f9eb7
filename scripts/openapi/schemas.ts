import { type DescEnum, type DescField, type DescMessage, getOption, ScalarType } from "@bufbuild/protobuf";
import { FieldBehavior, field_behavior } from "../../gen/google/api/field_behavior_pb.ts";
import { isAlwaysThere } from "../../src/door/rest-json.ts";
import { isOfTheResource } from "../../src/door/rest-request.ts";
import { isOwn, sayable, wordOf } from "../../src/door/rest-words.ts";
import { isInteger } from "../../src/rpc/decode.ts";
import { type Comments, commentOn } from "../references/proto-comments.ts";
import { keywordsOf, type Schema } from "./rules.ts";
import { wordsOn, wordsOnType } from "./words.ts";

/** What others refer to, filled while these are made. */
export interface Schemas {
  readonly comments: Comments;
  readonly components: Map<string, Schema>;
  /** Answers to calls that failed. */
  readonly responses: Map<string, Schema>;
}

/** A field of a request or an answer, as the REST edge reads and writes it. */
export function fieldSchema(schemas: Schemas, field: DescField): Schema {
  const { items, propertyNames, additionalProperties, ...own } = keywordsOf(field);
  const description = isOwn(field.parent) ? { description: wordsOn(schemas.comments, field) } : {};
  const item = itemSchema(schemas, field);
  switch (field.fieldKind) {
    case "list":
      return { type: "array", items: { ...item, ...(items as Schema) }, ...own, ...description };
    case "map": {
      const values = { ...item, ...(additionalProperties as Schema) };
      const names = propertyNames === undefined ? {} : { propertyNames };
      return { type: "object", ...names, additionalProperties: values, ...own, ...description };
    }
    default:
      return { ...item, ...own, ...description };
  }
}

/** The message of an answer, by reference. */
export function messageRef(schemas: Schemas, desc: DescMessage): Schema {
  const name = nameOf(desc);
  if (!schemas.components.has(name)) {
    // First its place, for what refers to itself.
    schemas.components.set(name, {});
    schemas.components.set(name, messageSchema(schemas, desc));
  }
  return refTo(name);
}

/** The message of an answer to a dry run: what the server would have made is not there. */
export function dryRunRef(schemas: Schemas, desc: DescMessage): Schema {
  const { required: _made, ...schema } = messageSchema(schemas, desc);
  const name = `${nameOf(desc)}.DryRun`;
  schemas.components.set(name, schema);
  return refTo(name);
}

export const refTo = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

/** `google.rpc.BadRequest.FieldViolation` as `BadRequest.FieldViolation`. */
const nameOf = (desc: DescMessage | DescEnum): string =>
  desc.typeName.slice(desc.file.proto.package.length + 1);

function messageSchema(schemas: Schemas, desc: DescMessage): Schema {
  const required = desc.fields.filter((field) => isInEveryAnswer(schemas, field));
  return {
    type: "object",
    ...(isOwn(desc) ? { description: wordsOnType(schemas.comments, desc) } : {}),
    properties: Object.fromEntries(desc.fields.map((field) => [field.jsonName, fieldSchema(schemas, field)])),
    ...(required.length === 0 ? {} : { required: required.map(({ jsonName }) => jsonName) }),
  };
}

/**
 * A list is always there. A single value is, unless it may be told apart from none, or its comment says that it can be absent: proto
 * JSON leaves out what is empty, and those never are.
 */
function isInEveryAnswer({ comments }: Schemas, field: DescField): boolean {
  if (!isOwn(field.parent) || field.fieldKind === "map") return false;
  if (field.fieldKind === "list") return isAlwaysThere(field);
  if (field.proto.proto3Optional) return false;
  return !/\babsent\b|\bPresent and\b/i.test(commentOn(comments, `${field.parent.typeName}.${field.name}`));
}

/** Protobuf's duration in JSON is seconds with an s, which is not the `duration` of JSON Schema. */
const DURATION: Schema = { type: "string", pattern: "^-?\\d+(\\.\\d{1,9})?s$", examples: ["86400s"] };

function itemSchema(schemas: Schemas, field: DescField): Schema {
  if (field.enum !== undefined && isOwn(field.enum)) return enumRef(schemas, field.enum);
  if (field.scalar === ScalarType.STRING) return { type: "string" };
  if (field.scalar === ScalarType.BOOL) return { type: "boolean" };
  if (isInteger(field)) return integerSchema(field);
  switch (field.message?.typeName) {
    case "google.protobuf.Timestamp":
      return { type: "string", format: "date-time" };
    case "google.protobuf.Duration":
      return DURATION;
    case "google.protobuf.FieldMask":
      return { type: "string", examples: [maskOf(field.parent)] };
  }
  if (field.message === undefined) throw new TypeError(`${String(field)} has no schema`);
  return messageRef(schemas, field.message);
}

/** Names some of what the request can change. */
const maskOf = ({ fields }: DescMessage): string =>
  fields
    .filter(
      (field) => isOfTheResource(field) && !getOption(field, field_behavior).includes(FieldBehavior.REQUIRED),
    )
    .slice(0, 2)
    .map(({ jsonName }) => jsonName)
    .join(",");

/** Proto JSON has 64 bits in a string: a number of JavaScript's would lose some. */
function integerSchema({ scalar }: DescField): Schema {
  if (scalar === ScalarType.INT32) return { type: "integer", format: "int32" };
  if (scalar === ScalarType.UINT32) return { type: "integer", minimum: 0, maximum: 4_294_967_295 };
  return { type: "string", format: "int64", pattern: "^-?\\d+$", examples: ["12"] };
}

function enumRef(schemas: Schemas, desc: DescEnum): Schema {
  const name = nameOf(desc);
  const values = sayable(desc).map((value) => ({
    word: wordOf(desc, value.name),
    says: commentOn(schemas.comments, `${desc.typeName}.${value.name}`),
  }));
  const list = values.map(({ word, says }) => `- \`${word}\`: ${says}`);
  schemas.components.set(name, {
    type: "string",
    description: [wordsOnType(schemas.comments, desc), list.join("\n")].join("\n\n"),
    enum: values.map(({ word }) => word),
  });
  return refTo(name);
}
