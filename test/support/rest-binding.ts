import {
  type DescField,
  type DescMessage,
  type DescMethodUnary,
  getOption,
  type JsonObject,
  type JsonValue,
  type MessageShape,
  toJson,
} from "@bufbuild/protobuf";
import { http } from "../../gen/google/api/annotations_pb.ts";
import type { HttpRule } from "../../gen/google/api/http_pb.ts";

/** What goes over HTTP for a message. */
export interface RestSent {
  readonly httpMethod: string;
  /** With the query. */
  readonly target: string;
  readonly body: string | undefined;
}

/**
 * The HTTP request that carries a message, by the `google.api.http` option of its method. Written from the
 * specification for the tests: it shares nothing with how the server reads such a request.
 */
export function restSent(method: DescMethodUnary, message: MessageShape<DescMessage>): RestSent {
  const fields = new Map(
    method.input.fields.flatMap((field): [string, JsonValue][] => {
      const value = (toJson(method.input, message) as JsonObject)[field.jsonName];
      return value === undefined ? [] : [[field.name, spoken(field, value)]];
    }),
  );
  const rule = bindingFor(getOption(method, http), fields);
  const path = (rule.pattern.value as string).replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = fields.get(name) ?? "";
    fields.delete(name);
    return encodeURIComponent(String(value));
  });
  const httpMethod = (rule.pattern.case ?? "").toUpperCase();
  const members = [...fields].map(([name, value]): [string, JsonValue] => [jsonNameOf(method, name), value]);
  if (rule.body === "*")
    return { httpMethod, target: path, body: JSON.stringify(Object.fromEntries(members)) };
  const query = members
    .flatMap(([name, value]) => [value].flat().map((item) => [name, String(item)]))
    .map((pair) => pair.map(encodeURIComponent).join("="))
    .join("&");
  return { httpMethod, target: query === "" ? path : `${path}?${query}`, body: undefined };
}

/** The binding with the most variables of those whose variables the message all has; else the first. */
function bindingFor(rule: HttpRule, fields: ReadonlyMap<string, JsonValue>): HttpRule {
  const [first = rule, ...others] = [rule, ...rule.additionalBindings];
  const variables = ({ pattern }: HttpRule) =>
    [...(pattern.value as string).matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
  return others
    .filter((other) => variables(other).every((name) => fields.has(name)))
    .reduce((best, other) => (variables(other).length > variables(best).length ? other : best), first);
}

/** Enum values are lower-case words at the REST edge: `active` for `CREDENTIAL_STATUS_ACTIVE`. */
function spoken(field: DescField, value: JsonValue): JsonValue {
  const { enum: desc } = field;
  if (desc === undefined) return value;
  const word = (name: JsonValue) => String(name).slice(desc.sharedPrefix?.length).toLowerCase();
  return Array.isArray(value) ? value.map(word) : word(value);
}

const jsonNameOf = ({ input }: DescMethodUnary, name: string): string =>
  input.fields.find((field) => field.name === name)?.jsonName ?? name;
