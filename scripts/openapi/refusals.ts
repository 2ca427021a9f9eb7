import { type Fault, invalidArgument } from "../../src/domain/fault.ts";
import { errorEnvelope, faultHeaders, httpStatusOf } from "../../src/door/http-answer.ts";
import { isOAuth, oauthAnswerOf } from "../../src/door/oauth.ts";
import type { Route } from "../../src/door/routes.ts";
import { accessOf } from "../../src/rpc/access.ts";
import { statusOf } from "../../src/rpc/errors.ts";
import { meaningOfReason, type ReasonFacts } from "../references/errors.ts";
import type { Comments } from "../references/proto-comments.ts";
import { HEADERS } from "./headers.ts";
import type { Schema } from "./rules.ts";
import { refTo, type Schemas } from "./schemas.ts";

/** A refusal of one operation: what the caller is told, and what this document says of it. */
interface Refusal {
  readonly facts: ReasonFacts;
  readonly fault: Fault;
  readonly httpStatus: number;
  readonly body: unknown;
}

/** Refusals by status, each with the reasons that it can have there and an example of every one. */
export function refusals(
  schemas: Schemas,
  route: Route,
  reasons: readonly ReasonFacts[],
): Record<string, Schema> {
  const all = reasons.map((facts) => refusalOf(route, facts));
  const byStatus = Map.groupBy(all, ({ httpStatus }) => httpStatus);
  const statuses = [...byStatus].toSorted(([a], [b]) => a - b);
  return Object.fromEntries(
    statuses.map(([httpStatus, group]) => {
      const response = responseOf(route, schemas.comments, httpStatus, group);
      return [httpStatus, shared(schemas, nameOf(route, group), response)];
    }),
  );
}

const nameOf = (route: Route, group: readonly Refusal[]): string =>
  [...(isOAuth(route.method) ? ["OAuth"] : []), ...group.map(({ facts }) => facts.reason)].join(".");

/** By reference: most operations end in the same. Another one with the same reasons, but other examples, has a number. */
function shared({ responses }: Schemas, name: string, response: Schema): Schema {
  const isSame = (other: Schema | undefined) =>
    other === undefined || JSON.stringify(other) === JSON.stringify(response);
  const names = [name, `${name}.2`, `${name}.3`];
  const free = names.find((candidate) => isSame(responses.get(candidate)));
  if (free === undefined) throw new TypeError(`too many kinds of ${name}`);
  responses.set(free, response);
  return { $ref: `#/components/responses/${free}` };
}

function refusalOf(route: Route, facts: ReasonFacts): Refusal {
  const fault = exampleOf(route, facts);
  if (isOAuth(route.method)) return { facts, fault, ...oauthAnswerOf(fault) };
  const { body } = errorEnvelope(fault);
  return { facts, fault, httpStatus: httpStatusOf(statusOf(fault)), body };
}

/** One that this operation can really end in. */
function exampleOf(route: Route, { reason, faults }: ReasonFacts): Fault {
  const { may } = accessOf(route.method);
  switch (reason) {
    case "INVALID_ARGUMENT":
      return route.hasBody
        ? invalidArgument({ field: "expiresat", description: "is not a field of this request" }).fault
        : invalidArgument({ field: "pagesize", description: "is not a parameter of this path" }).fault;
    case "PERMISSION_DENIED":
      return may === "public"
        ? defect(reason)
        : { kind: "permission_denied", needed: may, unseen: undefined };
    case "NOT_FOUND": {
      const hasAccount = route.segments.some((segment) => "variable" in segment);
      return hasAccount
        ? { kind: "not_found", resourceType: "ServiceAccount", id: "sa-pipeline-prod" }
        : { kind: "not_found", resourceType: "Organization", id: "acme" };
    }
    default:
      return faults.find(({ kind }) => kind.toUpperCase() === reason) ?? faults[0] ?? defect(reason);
  }
}

function defect(reason: string): never {
  throw new TypeError(`no example of ${reason}`);
}

function responseOf(route: Route, comments: Comments, httpStatus: number, group: readonly Refusal[]): Schema {
  const said = Object.assign({}, ...group.map(({ fault }) => faultHeaders(fault))) as Record<string, unknown>;
  const list = group.map(({ facts }) => `- \`${facts.reason}\`: ${meaningOfReason(comments, facts)}`);
  const examples = group.map(({ facts, body }) => [facts.reason, { value: body }]);
  const schema = isOAuth(route.method) ? oauthSchema(group) : envelopeSchema(httpStatus, group);
  return {
    description: list.join("\n"),
    headers: {
      ...HEADERS.common,
      ...("retry-after" in said || (isOAuth(route.method) && httpStatus >= 503) ? HEADERS.retry : {}),
      ...("www-authenticate" in said ? HEADERS.authenticate : {}),
    },
    content: { "application/json": { schema, examples: Object.fromEntries(examples) } },
  };
}

/** The envelope, with this status and one of these reasons in its ErrorInfo, which comes first. */
function envelopeSchema(httpStatus: number, group: readonly Refusal[]): Schema {
  const reason = { enum: group.map(({ facts }) => facts.reason) };
  const details = { prefixItems: [{ properties: { reason } }] };
  const error = { properties: { code: { const: httpStatus }, details } };
  return { allOf: [refTo("Error"), { type: "object", properties: { error } }] };
}

function oauthSchema(group: readonly Refusal[]): Schema {
  const errors = group.map(({ body }) => (body as { readonly error: string }).error);
  const error = { enum: [...new Set(errors)] };
  return { allOf: [refTo("OAuthError"), { type: "object", properties: { error } }] };
}
