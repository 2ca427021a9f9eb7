import { type DescField, type DescMethodUnary, getOption, hasOption, ScalarType } from "@bufbuild/protobuf";
import { http } from "../../gen/google/api/annotations_pb.ts";
import type { HttpRule } from "../../gen/google/api/http_pb.ts";

/** One HTTP binding of an RPC, read from its `google.api.http` option (AIP-127). No route is written twice. */
export interface Route {
  readonly httpMethod: string;
  readonly method: DescMethodUnary;
  /** As the proto has it: `/v1/things/{thing_id}`. */
  readonly template: string;
  readonly segments: readonly Segment[];
  /** Whether the request's fields come in a body (`body: "*"`), besides those in the path; else they come in the query. */
  readonly hasBody: boolean;
}

/** A part of the path between slashes: a literal or a variable, and the custom verb after it, such as `:rotate`. */
type Segment = ({ readonly literal: string } | { readonly variable: DescField }) & { readonly verb: string };

/** What stands in the path for each of its variables, as it was sent. */
export type PathVariables = ReadonlyMap<DescField, string>;

export type RouteMatch =
  | { readonly kind: "matched"; readonly route: Route; readonly variables: PathVariables }
  | { readonly kind: "method_not_allowed"; readonly allowedMethods: readonly string[] }
  | { readonly kind: "route_unknown" };

/**
 * The routes of all methods that have any.
 * @throws TypeError for a binding that this edge cannot serve, and for two that one request could fit: defects of the
 * protos, which nobody should meet later than at the start.
 */
export function routesOf(methods: readonly DescMethodUnary[]): Route[] {
  const routes = methods
    .filter((method) => hasOption(method, http))
    .flatMap((method) => bindings(method, getOption(method, http)));
  requireDistinct(routes);
  return routes;
}

/** Finds the route of a request by its method and its path. */
export type FindRoute = (httpMethod: string, path: string) => RouteMatch;

/**
 * Finds the route of a path as it stands in the request line: nothing is decoded, folded or normalised before it is
 * matched, so no spelling of a path reaches a handler by a way around its route. Where a path has no variable, as that of
 * the token endpoint, its routes are known beforehand.
 */
export function routeFinder(routes: readonly Route[]): FindRoute {
  const known = new Map<string, readonly Fitting[]>();
  for (const { template, segments } of routes)
    if (segments.every((segment) => "literal" in segment)) known.set(template, fittingOf(routes, template));
  return (httpMethod, path) => choose(known.get(path) ?? fittingOf(routes, path), httpMethod);
}

interface Fitting {
  readonly route: Route;
  readonly variables: PathVariables;
}

/** The routes of a path, whatever the method. */
function fittingOf(routes: readonly Route[], path: string): Fitting[] {
  // A slash at the end makes another path, not one with an empty id.
  const parts = path.endsWith("/") ? [] : path.split("/");
  return routes.flatMap((route) => {
    const variables = matchSegments(route.segments, parts);
    return variables === undefined ? [] : [{ route, variables }];
  });
}

function choose(found: readonly Fitting[], httpMethod: string): RouteMatch {
  const match = found.find(({ route }) => route.httpMethod === httpMethod);
  if (match !== undefined) return { kind: "matched", ...match };
  if (found.length === 0) return { kind: "route_unknown" };
  return { kind: "method_not_allowed", allowedMethods: found.map(({ route }) => route.httpMethod) };
}

/** Whether a field stands in the path, so that it must stand nowhere else. */
export const isInPath = (route: Route, field: DescField): boolean =>
  route.segments.some((segment) => "variable" in segment && segment.variable === field);

function bindings(method: DescMethodUnary, rule: HttpRule): Route[] {
  const { case: verb, value } = rule.pattern;
  if (verb === undefined || verb === "custom")
    throw new TypeError(`${method.name} has no plain HTTP binding`);
  if (rule.body !== "" && rule.body !== "*") throw new TypeError(`${method.name} must have body "*" or none`);
  const route = {
    httpMethod: verb.toUpperCase(),
    method,
    template: value,
    segments: parseTemplate(method, value),
    hasBody: rule.body === "*",
  };
  return [route, ...rule.additionalBindings.flatMap((additional) => bindings(method, additional))];
}

const TEMPLATE_PART = /^(?:\{([a-z][a-z0-9_]*)\}|([^{}*:]*))(:[A-Za-z]+)?$/;

/** `/v1/things/{thing_id}:rotate`: literals, variables of one segment, and verbs. */
function parseTemplate(method: DescMethodUnary, template: string): Segment[] {
  return template.split("/").map((part) => {
    const [, variable, literal, verb = ""] = TEMPLATE_PART.exec(part) ?? [];
    if (variable !== undefined) return { variable: variableOf(method, variable), verb };
    if (literal !== undefined) return { literal, verb };
    throw new TypeError(`cannot route the template ${template}`);
  });
}

function variableOf(method: DescMethodUnary, name: string): DescField {
  const field = method.input.fields.find((candidate) => candidate.name === name);
  if (field?.fieldKind === "scalar" && field.scalar === ScalarType.STRING) return field;
  throw new TypeError(`${method.name} has no string ${name} for its path`);
}

/** The verb counts as a part of its own: `x:rotate` is never an id. */
function matchSegments(segments: readonly Segment[], parts: readonly string[]): PathVariables | undefined {
  if (segments.length !== parts.length) return undefined;
  const variables = new Map<DescField, string>();
  for (const [index, segment] of segments.entries()) {
    const [, value = "", verb = ""] = /^([^:]*)(.*)$/s.exec(parts[index] ?? "") ?? [];
    if (verb !== segment.verb) return undefined;
    if ("variable" in segment) variables.set(segment.variable, value);
    else if (value !== segment.literal) return undefined;
  }
  return variables;
}

function requireDistinct(routes: readonly Route[]): void {
  for (const [index, route] of routes.entries()) {
    const rival = routes.slice(index + 1).find((other) => isAmbiguous(route, other));
    if (rival !== undefined)
      throw new TypeError(`one request would fit ${route.method.name} and ${rival.method.name}`);
  }
}

function isAmbiguous(a: Route, b: Route): boolean {
  return (
    a.httpMethod === b.httpMethod &&
    a.segments.length === b.segments.length &&
    a.segments.every((segment, index) => overlap(segment, b.segments[index] as Segment))
  );
}

function overlap(a: Segment, b: Segment): boolean {
  if (a.verb !== b.verb) return false;
  return "variable" in a || "variable" in b || a.literal === b.literal;
}
