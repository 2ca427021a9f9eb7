import { readFileSync } from "node:fs";
import { routesOf } from "../../src/door/routes.ts";
import { SERVICES } from "../../src/rpc/services.ts";
import { readComments } from "../references/proto-comments.ts";
import { addErrorSchemas } from "./errors.ts";
import { HEADER_COMPONENTS, PARAMETER_COMPONENTS } from "./headers.ts";
import { type Operation, operationOf, tagOf } from "./operations.ts";
import type { Schema } from "./rules.ts";
import type { Schemas } from "./schemas.ts";
import { WELL_KNOWN_SCHEMAS, WELL_KNOWN_TAG, wellKnownOperations } from "./well-known.ts";
import { withoutErrors, wordsOnType } from "./words.ts";

/** gen/openapi.json: the REST edge, as the descriptors and the edge's own code have it. */
export function openapiDocument(): string {
  const schemas: Schemas = { comments: readComments(), components: new Map(), responses: new Map() };
  addErrorSchemas(schemas);
  const services = Object.values(SERVICES);
  const routes = routesOf(services.flatMap(({ methods }) => [...methods]) as Parameters<typeof routesOf>[0]);
  const operations = routes.map((route) => {
    const siblings = routes.filter(({ method }) => method === route.method);
    return operationOf(schemas, route, siblings.indexOf(route));
  });
  for (const [name, schema] of Object.entries(WELL_KNOWN_SCHEMAS)) schemas.components.set(name, schema);
  const offered = services.filter((service) => routes.some(({ method }) => method.parent === service));
  const document = {
    openapi: "3.1.1",
    info: {
      title: "Keyturn",
      version: versionOf(),
      summary: "Issues, limits, rotates, checks and retires the client secrets of service accounts.",
      description: DESCRIPTION,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    tags: [
      ...offered.map((service) => ({
        name: tagOf(service.name),
        description: withoutErrors(wordsOnType(schemas.comments, service)),
      })),
      {
        name: WELL_KNOWN_TAG,
        description: "What is published for whoever checks access tokens or wants one.",
      },
    ],
    paths: pathsOf([...operations, ...wellKnownOperations()]),
    components: {
      schemas: sorted(schemas.components),
      responses: sorted(schemas.responses),
      headers: HEADER_COMPONENTS,
      parameters: PARAMETER_COMPONENTS,
      securitySchemes: SECURITY_SCHEMES,
    },
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

const DESCRIPTION = `The organization is the one of the caller's token, never of a path, a header or a body.

Optional fields may be absent; \`null\` means absent, and an empty body counts as \`{}\`. A field that is not known is refused by its name. Instants are
RFC 3339, in UTC in answers; durations are seconds, such as \`86400s\`. An error has a reason to decide by (docs/errors.md).

\`x-visibility\` says in whose reference an operation stands: \`public\`, everybody's; \`internal\`, the platform's own.`;

const SECURITY_SCHEMES = {
  bearerAuth: {
    type: "http",
    scheme: "bearer",
    bearerFormat: "JWT",
    description: "Bearer token authentication using OAuth2/OIDC tokens",
  },
  clientBasic: {
    type: "http",
    scheme: "basic",
    description:
      "Client id and client secret of a service account, each form-encoded first (RFC 6749 section 2.3.1). Or both in the body.",
  },
};

function pathsOf(operations: readonly Operation[]): Schema {
  const byPath = Map.groupBy(operations, ({ path }) => path);
  return Object.fromEntries(
    [...byPath].map(([path, group]) => [
      path,
      Object.fromEntries(group.map(({ httpMethod, operation }) => [httpMethod, operation])),
    ]),
  );
}

const sorted = (map: ReadonlyMap<string, Schema>): Schema =>
  Object.fromEntries([...map].toSorted(([a], [b]) => (a < b ? -1 : 1)));

const versionOf = (): string =>
  (JSON.parse(readFileSync("package.json", "utf8")) as { readonly version: string }).version;
