import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import type { RestAnswer } from "./clients.ts";

export type Schema = Readonly<Record<string, unknown>>;

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required?: boolean;
  readonly schema: Schema;
}

interface Content {
  readonly schema: Schema;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}

interface Header {
  readonly required?: boolean;
  readonly schema: Schema;
}

interface Response {
  readonly headers: Readonly<Record<string, Header>>;
  readonly content?: Readonly<Record<string, Content>>;
}

/** One operation of gen/openapi.json, with every reference on the way to it resolved. */
export interface Operation {
  readonly operationId: string;
  readonly path: string;
  readonly httpMethod: string;
  readonly visibility: readonly string[];
  readonly security: readonly Readonly<Record<string, unknown>>[];
  readonly parameters: readonly Parameter[];
  readonly body:
    | { readonly required: boolean; readonly content: Readonly<Record<string, Content>> }
    | undefined;
  readonly responses: Readonly<Record<string, Response>>;
}

// biome-ignore lint/suspicious/noExplicitAny: a document of JSON, looked into as it stands
const document: any = JSON.parse(readFileSync("gen/openapi.json", "utf8"));

// biome-ignore lint/suspicious/noExplicitAny: likewise
const resolved = (node: any): any => {
  if (typeof node?.$ref !== "string") return node;
  const [, ...steps] = node.$ref.split("/");
  return resolved(steps.reduce((at: Record<string, unknown>, step: string) => at[step] as never, document));
};

// biome-ignore lint/suspicious/noExplicitAny: likewise
const mapped = (object: Record<string, any> = {}, map = resolved): Record<string, any> =>
  Object.fromEntries(Object.entries(object).map(([key, value]) => [key, map(value)]));

export const OPERATIONS: readonly Operation[] = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item as object).map(([httpMethod, operation]) => ({
    operationId: operation.operationId,
    path,
    httpMethod: httpMethod.toUpperCase(),
    visibility: operation["x-visibility"],
    security: operation.security,
    parameters: (operation.parameters ?? []).map(resolved),
    body: operation.requestBody,
    responses: mapped(operation.responses, (response) => {
      const { headers, ...more } = resolved(response);
      return { ...more, headers: mapped(headers) };
    }),
  })),
);

const ajv = new Ajv2020({
  strict: true,
  strictTypes: false,
  strictTuples: false,
  strictRequired: false,
  allErrors: true,
});
formats.default(ajv);
ajv.addFormat("cidr", /^[0-9a-fA-F.:]+\/\d{1,3}$/);
ajv.addFormat("int64", /^-?\d+$/);
// References point into the document, which every schema is therefore checked inside of.
ajv.addVocabulary(["components", "x-minimum", "x-maximum"]);

/**
 * Clients must take members that they do not know, so the document leaves messages open; here none may come that it does
 * not have. Those of `google.rpc`, which have no description, get their `@type` besides.
 */
export const closedSchemas = (schemas: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  mapped(schemas, (schema) =>
    schema.properties === undefined || schema.description === undefined
      ? schema
      : { additionalProperties: false, ...schema },
  );

const CLOSED = closedSchemas(document.components.schemas);

const compiled = new Map<Schema, ValidateFunction>();

function validatorOf(schema: Schema): ValidateFunction {
  const known = compiled.get(schema);
  if (known !== undefined) return known;
  const validate = ajv.compile({ ...schema, components: { schemas: CLOSED } });
  compiled.set(schema, validate);
  return validate;
}

/** Asserts that a value is of a schema of the document. */
export function assertFits(schema: Schema, value: unknown, what: string): void {
  const validate = validatorOf(schema);
  assert.ok(validate(value), `${what}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(value)}`);
}

/** The schema of a request's body, with its own reference resolved. */
export const bodySchemaOf = ({ body }: Operation): Schema | undefined =>
  resolved(body?.content["application/json"]?.schema);

/** Resolves the reference that a property may be. */
export const schemaAt = (schema: Schema): Schema => ({ ...resolved(schema), ...schema });

/** Asserts that an answer is one that the document gives for this operation: status, headers and body. */
export function assertDocumented(operation: Operation, answer: RestAnswer): void {
  const what = `${operation.operationId} ${answer.status}`;
  const response = operation.responses[answer.status];
  assert.ok(response !== undefined, `${what} is not documented: ${answer.text}`);
  for (const [name, header] of Object.entries(response.headers)) {
    const value = answer.headers.get(name);
    assert.ok(value !== null || header.required !== true, `${what} has no ${name}`);
    if (value !== null) assertFits(header.schema, value, `${what} ${name}`);
  }
  const content = response.content?.["application/json"];
  if (content === undefined) {
    assert.equal(answer.text, "", what);
    return;
  }
  assert.equal(answer.headers.get("content-type"), "application/json", what);
  assertFits(content.schema, answer.body, what);
}
