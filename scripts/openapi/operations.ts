import { type DescField, getOption } from "@bufbuild/protobuf";
import { FieldBehavior, field_behavior } from "../../gen/google/api/field_behavior_pb.ts";
import { method_visibility } from "../../gen/google/api/visibility_pb.ts";
import { isOAuth, takesBasic } from "../../src/door/oauth.ts";
import { isParameter } from "../../src/door/rest-query.ts";
import { isInPath, type Route } from "../../src/door/routes.ts";
import { type Access, accessOf } from "../../src/rpc/access.ts";
import { reasonFacts } from "../references/errors.ts";
import { successes } from "./answers.ts";
import { EXAMPLES } from "./examples.ts";
import { requestHeader } from "./headers.ts";
import { reasonsOf } from "./reasons.ts";
import { refusals } from "./refusals.ts";
import type { Schema } from "./rules.ts";
import { fieldSchema, refTo, type Schemas } from "./schemas.ts";
import { firstSentence, inJson, withoutErrors, wordsOnType } from "./words.ts";

/** One operation of the document, at its place. */
export interface Operation {
  readonly path: string;
  readonly httpMethod: string;
  readonly operation: Schema & { readonly operationId: string };
}

/** The operation of a route. `index`: which of its method's routes it is. */
export function operationOf(schemas: Schemas, route: Route, index: number): Operation {
  const { method } = route;
  const name = nameOf(route, index);
  const operationId = `${name}${isAlias(route, index) ? "Alias" : ""}`;
  const facts = reasonFacts(schemas.comments);
  const reasons = reasonsOf(
    route,
    schemas.comments,
    facts.map(({ reason }) => reason),
  );
  const possible = reasons.flatMap((reason) => facts.filter((fact) => fact.reason === reason));
  const words = withoutErrors(
    wordsOnType(schemas.comments, { typeName: `${method.parent.typeName}.${method.name}` }),
  );
  const { may } = accessOf(method);
  return {
    path: pathOf(route),
    httpMethod: route.httpMethod.toLowerCase(),
    operation: {
      operationId,
      tags: [tagOf(method.parent.name)],
      summary: firstSentence(words),
      description: `${words}\n\n${MAY[may]}`,
      "x-visibility": getOption(method, method_visibility).restriction === "INTERNAL" ? INTERNAL : BOTH,
      security: securityOf(route),
      parameters: parametersOf(schemas, route),
      ...(route.hasBody ? { requestBody: requestBodyOf(schemas, route, name) } : {}),
      responses: {
        ...successes(schemas, route, EXAMPLES[name]?.answers),
        ...refusals(schemas, route, possible),
      },
    },
  };
}

/** In whose reference an operation stands: everybody's, or the platform's own only (docs/adr/0016). */
const BOTH = ["public", "internal"];
const INTERNAL = ["internal"];

function securityOf({ method }: Route): Schema[] {
  if (accessOf(method).may !== "public") return [{ bearerAuth: [] }];
  return takesBasic(method) ? [{ clientBasic: [] }, {}] : [];
}

const MAY: Readonly<Record<Access, string>> = {
  tenant_administrator: "Only tenant administrators can call this.",
  verifier: "Only verifiers can call this.",
  verifier_or_administrator: "Only verifiers and tenant administrators can call this.",
  public: "Callers need no bearer token.",
};

/** `ServiceAccountService` as `Service account`. */
export const tagOf = (serviceName: string): string =>
  serviceName
    .replace(/Service$/, "")
    .replace(/(?<=[a-z])(?=[A-Z])/g, " ")
    .replace(/ [A-Z]/g, (letter) => letter.toLowerCase());

/** The method's name, and what a further binding of it names in its path. */
function nameOf(route: Route, index: number): string {
  const [, named] = /\{(\w+?)(Id)?\}/.exec(pathOf(route)) ?? [];
  const isFurther = index > 0 && named !== undefined;
  return `${route.method.localName}${isFurther ? `Of${capitalized(named)}` : ""}`;
}

/** Whether it is the same call under another path. */
const isAlias = (route: Route, index: number): boolean =>
  index > 0 && route.segments.every((segment) => "literal" in segment);

const capitalized = (word: string): string => word.slice(0, 1).toUpperCase() + word.slice(1);

const pathOf = ({ segments }: Route): string =>
  segments
    .map((part) => ("variable" in part ? `{${part.variable.jsonName}}` : part.literal) + part.verb)
    .join("/");

function parametersOf(schemas: Schemas, route: Route): Schema[] {
  const { fields } = route.method.input;
  const path = fields.filter((field) => isInPath(route, field));
  const query = route.hasBody ? [] : fields.filter((field) => isParameter(field) && !isInPath(route, field));
  return [
    ...path.map((field) => parameterOf(schemas, field, { in: "path", required: true })),
    ...query.map((field) => parameterOf(schemas, field, { in: "query" })),
    ...(hasRequestId(route) ? [requestHeader("IdempotencyKey")] : []),
    requestHeader("RequestId"),
  ];
}

const hasRequestId = ({ method }: Route): boolean =>
  method.input.fields.some(({ name }) => name === "request_id");

function parameterOf(schemas: Schemas, field: DescField, place: Schema): Schema {
  const { description, ...schema } = fieldSchema(schemas, field);
  return { name: field.jsonName, ...place, description, schema };
}

function requestBodyOf(schemas: Schemas, route: Route, operationName: string): Schema {
  const fields = route.method.input.fields.filter((field) => !isInPath(route, field));
  const required = fields.filter((field) => isRequired(route, field));
  const name = `${capitalized(operationName)}Request`;
  const isForm = isOAuth(route.method);
  schemas.components.set(name, {
    type: "object",
    description: inJson(wordsOnType(schemas.comments, route.method.input)),
    properties: Object.fromEntries(fields.map((field) => [field.jsonName, fieldSchema(schemas, field)])),
    ...(required.length === 0 ? {} : { required: required.map(({ jsonName }) => jsonName) }),
    // Forms may have parameters that nobody knows (RFC 6749 section 3.2).
    ...(isForm ? {} : { additionalProperties: false }),
  });
  const content = {
    schema: refTo(name),
    examples: EXAMPLES[operationName]?.requests ?? { empty: { value: {} } },
  };
  return {
    required: required.length > 0,
    content: {
      ...(isForm ? { "application/x-www-form-urlencoded": content } : {}),
      "application/json": content,
    },
  };
}

/** Client id and secret may also come by HTTP Basic. */
const isRequired = ({ method }: Route, field: DescField): boolean =>
  getOption(field, field_behavior).includes(FieldBehavior.REQUIRED) &&
  !(takesBasic(method) && ["client_id", "client_secret"].includes(field.name));
