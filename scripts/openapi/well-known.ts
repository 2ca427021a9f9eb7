import { CACHE_CONTROL, KEY_SET, METADATA } from "../../src/door/well-known.ts";
import { HEADERS } from "./headers.ts";
import type { Operation } from "./operations.ts";
import type { Schema } from "./rules.ts";
import { refTo } from "./schemas.ts";

/** What is published for whoever checks access tokens or wants one: no RPCs, so they have no descriptors. */
export function wellKnownOperations(): Operation[] {
  const document = (path: string, operationId: string, summary: string, name: string): Operation => ({
    path,
    httpMethod: "get",
    operation: {
      operationId,
      tags: [WELL_KNOWN_TAG],
      summary,
      "x-visibility": ["public", "internal"],
      security: [],
      responses: {
        200: {
          description: "The document.",
          headers: {
            ...HEADERS.common,
            "Cache-Control": { schema: { type: "string", const: CACHE_CONTROL } },
          },
          content: { "application/json": { schema: refTo(name) } },
        },
        400: failure("`INVALID_ARGUMENT`: the `Host` header is none."),
        503: failure("`DATABASE_UNAVAILABLE`: the keys cannot be had now.", HEADERS.retry),
      },
    },
  });
  return [
    document(KEY_SET, "getKeySet", "Keys that access tokens are verified by (RFC 7517)", "KeySet"),
    ...METADATA.map((path) =>
      document(path, METADATA_IDS[path] ?? path, "Where everything is (RFC 8414)", "ServerMetadata"),
    ),
  ];
}

const failure = (description: string, more: Schema = {}): Schema => ({
  description,
  headers: { ...HEADERS.common, ...more },
  content: { "application/json": { schema: refTo("Error") } },
});

export const WELL_KNOWN_TAG = "Well known";

const METADATA_IDS: Readonly<Record<string, string>> = {
  "/.well-known/oauth-authorization-server": "getServerMetadata",
  "/.well-known/openid-configuration": "getOpenidConfiguration",
};

const text = { type: "string" };
const url = { type: "string", format: "uri" };
const texts = { type: "array", items: text };

const METADATA_PROPERTIES: Readonly<Record<string, Schema>> = {
  issuer: url,
  token_endpoint: url,
  token_endpoint_auth_methods_supported: texts,
  introspection_endpoint: url,
  introspection_endpoint_auth_methods_supported: texts,
  revocation_endpoint: url,
  revocation_endpoint_auth_methods_supported: texts,
  jwks_uri: url,
  grant_types_supported: texts,
  response_types_supported: texts,
};

const KEY_PROPERTIES: Readonly<Record<string, Schema>> = {
  kid: text,
  kty: { const: "EC" },
  crv: { const: "P-256" },
  x: text,
  y: text,
  alg: { const: "ES256" },
  use: { const: "sig" },
};

const exact = (properties: Readonly<Record<string, Schema>>): Schema => ({
  type: "object",
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});

export const WELL_KNOWN_SCHEMAS: Readonly<Record<string, Schema>> = {
  KeySet: exact({ keys: { type: "array", items: exact(KEY_PROPERTIES) } }),
  ServerMetadata: exact(METADATA_PROPERTIES),
};
