import type { IncomingMessage, ServerResponse } from "node:http";
import type { JsonObject } from "@bufbuild/protobuf";
import { FaultError } from "../domain/fault.ts";
import type { PublicJwk } from "../domain/signing-key.ts";
import { commonHeaders, sendJson } from "./http-answer.ts";

/** What is published for whoever checks our access tokens or wants one. */
export interface WellKnown {
  /** As it stands in `iss`. */
  readonly issuer: () => string;
  /** @throws FaultError unavailable */
  readonly publicKeys: () => readonly PublicJwk[];
}

/** A key is published for longer than that before it signs, so nobody who keeps to it misses one. */
export const CACHE_CONTROL = "public, max-age=300";

const METHODS = ["GET", "HEAD"];
export const WELL_KNOWN = "/.well-known/";
/** Paths of the documents. */
export const KEY_SET = `${WELL_KNOWN}jwks.json`;
export const METADATA = [`${WELL_KNOWN}oauth-authorization-server`, `${WELL_KNOWN}openid-configuration`];

/**
 * Answers a request for one of the documents; false for another path, and nothing is done then.
 * @throws FaultError method_not_allowed, unavailable.
 */
export function answerWellKnown(
  wellKnown: WellKnown,
  path: string,
  req: IncomingMessage,
  res: ServerResponse,
  requestId: string,
): boolean {
  const document = documentAt(path, wellKnown);
  if (document === undefined) return false;
  if (!METHODS.includes(req.method ?? ""))
    throw new FaultError({ kind: "method_not_allowed", allowedMethods: METHODS });
  sendJson(res, 200, { ...commonHeaders(requestId), "cache-control": CACHE_CONTROL }, document);
  return true;
}

function documentAt(path: string, { issuer, publicKeys }: WellKnown): JsonObject | undefined {
  if (path === KEY_SET) return { keys: publicKeys().map((key) => ({ ...key })) };
  if (METADATA.includes(path)) return metadataOf(issuer());
  // RFC 8414 section 3.1: the path of an issuer stands behind ours. In front of ours (OpenID Connect) a proxy takes it away.
  const [inserted] = METADATA;
  const { pathname } = new URL(issuer());
  return path === `${inserted}${pathname.replace(/\/$/, "")}` ? metadataOf(issuer()) : undefined;
}

/**
 * RFC 8414 section 2, which OpenID Connect's discovery shares. Introspection and revocation want an access token. The
 * registry has that word for introspection only; whoever reads nothing at revocation would take it for a client's secret.
 */
function metadataOf(issuer: string): JsonObject {
  const at = (path: string) => `${issuer.replace(/\/$/, "")}${path}`;
  return {
    issuer,
    token_endpoint: at("/v1/regions/global/auth/token"),
    token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post"],
    introspection_endpoint: at("/v1/regions/global/auth/introspect"),
    introspection_endpoint_auth_methods_supported: ["Bearer"],
    revocation_endpoint: at("/v1/regions/global/auth/revoke"),
    revocation_endpoint_auth_methods_supported: ["Bearer"],
    jwks_uri: at(KEY_SET),
    grant_types_supported: ["client_credentials"],
    response_types_supported: [],
  };
}
