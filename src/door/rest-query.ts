import { type DescField, type DescMessage, type JsonValue, ScalarType } from "@bufbuild/protobuf";
import { fieldNamed, isInteger, itemForm } from "../rpc/decode.ts";
import { isOwn, nameOfWord, wordsOf } from "./rest-words.ts";
import { isInPath, type Route } from "./routes.ts";

/** Fields of a request as proto JSON. By descriptor, so that the two names of a field are one, and no name is special. */
export type Fields = Map<DescField, JsonValue>;

/** Notes what is wrong with a field, by its proto name, or with a name that is none. */
export type Refuse = (field: string, description: string) => void;

const PARAMETERS_MAX = 64;
const NAME_LENGTH_MAX = 64;

/** Well-known types whose proto JSON is one text. */
const TEXT_MESSAGES = ["google.protobuf.Timestamp", "google.protobuf.Duration", "google.protobuf.FieldMask"];

/** The fields that stand in a query as `google.api.http` has it. Every one is unknown to a binding with a body. */
export function queryFields(route: Route, query: string, refuse: Refuse): Fields {
  const fields: Fields = new Map();
  for (const { name, text } of parametersOf(query, refuse)) {
    const field = route.hasBody ? undefined : parameterNamed(route.method.input, name);
    if (field === undefined) refuse(shortened(name), "is not a parameter of this path");
    else if (isInPath(route, field)) refuse(name, "belongs in the path and not in the query");
    else if (text === undefined) refuse(field.name, "is not valid percent encoding");
    else addText(fields, field, text, refuse);
  }
  return fields;
}

/** Whether a query can carry this field: one text, or several in a list. */
export const isParameter = (field: DescField): boolean =>
  field.fieldKind !== "map" &&
  (field.enum !== undefined ||
    field.scalar === ScalarType.STRING ||
    field.scalar === ScalarType.BOOL ||
    isInteger(field) ||
    TEXT_MESSAGES.includes(field.message?.typeName ?? ""));

/** Percent encoding of UTF-8, in the characters that a request line may have; undefined when it is anything else. */
export function decodePercent(text: string): string | undefined {
  if (!/^[\x21-\x7e]*$/.test(text)) return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

interface Parameter {
  readonly name: string;
  /** Undefined when it cannot be decoded. */
  readonly text: string | undefined;
}

/** As forms write them, where `+` is a space. Nothing between two `&` is nothing. */
function parametersOf(query: string, refuse: Refuse): Parameter[] {
  const pieces = query.split("&").filter((piece) => piece !== "");
  if (pieces.length > PARAMETERS_MAX) {
    refuse("", `there are more than ${PARAMETERS_MAX} parameters`);
    return [];
  }
  return pieces.flatMap((piece) => {
    const [, rawName = "", rawText = ""] = /^([^=]*)=?(.*)$/s.exec(piece.replaceAll("+", "%20")) ?? [];
    const name = decodePercent(rawName);
    if (name === undefined) refuse("", "the name of a parameter is not valid percent encoding");
    return name === undefined ? [] : [{ name, text: decodePercent(rawText) }];
  });
}

function parameterNamed(desc: DescMessage, name: string): DescField | undefined {
  const field = fieldNamed(desc, name);
  return field !== undefined && isParameter(field) ? field : undefined;
}

function addText(fields: Fields, field: DescField, text: string, refuse: Refuse): void {
  const earlier = fields.get(field);
  const item = itemOf(field, text);
  if (item === undefined) refuse(field.name, `must be ${formOf(field)}`);
  else if (field.fieldKind === "list")
    fields.set(field, Array.isArray(earlier) ? [...earlier, item] : [item]);
  else if (earlier !== undefined) refuse(field.name, "stands in the query more than once");
  else fields.set(field, item);
}

/** A text as proto JSON, or undefined when it is not of its field. What `fromJson` checks strictly is left to it. */
function itemOf(field: DescField, text: string): JsonValue | undefined {
  if (field.enum !== undefined && isOwn(field.enum)) return nameOfWord(field.enum, text);
  if (field.scalar === ScalarType.STRING) return text;
  if (field.scalar === ScalarType.BOOL) return BOOLS.get(text);
  if (isInteger(field)) return /^(0|-?[1-9]\d*)$/.test(text) ? text : undefined;
  return text === "" ? undefined : text;
}

const BOOLS: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["false", false],
]);

const formOf = (field: DescField): string =>
  field.enum !== undefined && isOwn(field.enum) ? wordsOf(field.enum) : itemForm(field);

const shortened = (name: string): string => name.slice(0, NAME_LENGTH_MAX).toWellFormed();
