import { type DescMethodUnary, getOption, hasOption } from "@bufbuild/protobuf";
import { http } from "../../gen/google/api/annotations_pb.ts";
import type { HttpRule } from "../../gen/google/api/http_pb.ts";

/** One HTTP binding of an RPC, read from its `google.api.http` option (AIP-127). No route is written twice. */
export interface Route {
  readonly httpMethod: string;
  readonly method: DescMethodUnary;
  /** Segments of the path, a variable as the name of its field. */
  readonly segments: readonly Segment[];
  /** Whether the request's fields come in a body (`body: "*"`), besides those in the path. */
  readonly hasBody: boolean;
}

type Segment = { readonly literal: string } | { readonly variable: string; readonly suffix: string };

export type RouteMatch =
  | { readonly kind: "matched"; readonly route: Route; readonly variables: ReadonlyMap<string, string> }
  | { readonly kind: "method_not_allowed"; readonly allowedMethods: readonly string[] }
  | { readonly kind: "route_unknown" };

export function routesOf(methods: readonly DescMethodUnary[]): Route[] {
  return methods
    .filter((method) => hasOption(method, http))
    .flatMap((method) => bindings(method, getOption(method, http)));
}

/**
 * Finds the route of a path as it stands in the request line: nothing is decoded, folded or normalised before it is
 * matched, so no spelling of a path reaches a handler by a way around its route.
 */
export function matchRoute(routes: readonly Route[], httpMethod: string, path: string): RouteMatch {
  const parts = path.split("/");
  const found = routes.flatMap((route) => {
    const variables = matchSegments(route.segments, parts);
    return variables === undefined ? [] : [{ route, variables }];
  });
  const match = found.find(({ route }) => route.httpMethod === httpMethod);
  if (match !== undefined) return { kind: "matched", ...match };
  if (found.length === 0) return { kind: "route_unknown" };
  return { kind: "method_not_allowed", allowedMethods: found.map(({ route }) => route.httpMethod) };
}

function bindings(method: DescMethodUnary, rule: HttpRule): Route[] {
  const { case: verb, value } = rule.pattern;
  if (verb === undefined || verb === "custom")
    throw new TypeError(`${method.name} has no plain HTTP binding`);
  if (rule.body !== "" && rule.body !== "*") throw new TypeError(`${method.name} must have body "*" or none`);
  const route = {
    httpMethod: verb.toUpperCase(),
    method,
    segments: parseTemplate(value),
    hasBody: rule.body === "*",
  };
  return [route, ...rule.additionalBindings.flatMap((additional) => bindings(method, additional))];
}

/** `/v1/things/{thing_id}:rotate`: literals, variables of one segment, and a verb after the last. */
function parseTemplate(template: string): Segment[] {
  return template.split("/").map((part) => {
    const variable = /^\{([a-z_]+)\}(:[A-Za-z]+)?$/.exec(part);
    if (variable?.[1] !== undefined) return { variable: variable[1], suffix: variable[2] ?? "" };
    if (/[{}*]/.test(part)) throw new TypeError(`cannot route the template ${template}`);
    return { literal: part };
  });
}

function matchSegments(
  segments: readonly Segment[],
  parts: readonly string[],
): Map<string, string> | undefined {
  if (segments.length !== parts.length) return undefined;
  const variables = new Map<string, string>();
  for (const [index, segment] of segments.entries()) {
    const part = parts[index] ?? "";
    if ("literal" in segment) {
      if (part !== segment.literal) return undefined;
      continue;
    }
    if (!part.endsWith(segment.suffix)) return undefined;
    const value = part.slice(0, part.length - segment.suffix.length);
    if (segment.suffix === "" && value.includes(":")) return undefined;
    variables.set(segment.variable, value);
  }
  return variables;
}
