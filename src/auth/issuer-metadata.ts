import { isJsonObject, type JsonValue } from "../domain/strict-json.ts";
import { type Fetch, fetchDocument } from "./fetch-document.ts";
import { KeySetError } from "./key-set-error.ts";

/**
 * Checks the configured name of an issuer: a URL without query, fragment or credentials (RFC 8414 section 2), over
 * https, or over http on this machine only.
 * @throws TypeError that names the fault, at start and not at the first request.
 */
export function assertIssuerName(issuer: string): void {
  const url = URL.parse(issuer);
  if (url === null || !isTrustworthy(url, isLoopback(url))) {
    throw new TypeError("the issuer must be an https URL, or an http URL of a loopback address");
  }
  if (/[?#]/.test(issuer) || url.username !== "" || url.password !== "") {
    throw new TypeError("the issuer must have no query, fragment or credentials");
  }
}

/**
 * Fetches an issuer's JWK set: first the metadata, which must name the issuer exactly (RFC 8414 section 3.3, OpenID
 * Connect Discovery 1.0 section 4.3), then the set at its `jwks_uri`.
 * @throws KeySetError
 */
export async function fetchPublishedKeys(
  fetch: Fetch,
  issuer: string,
  signal: AbortSignal,
): Promise<JsonValue> {
  const metadata = await fetchMetadata(fetch, issuer, signal);
  if (!isJsonObject(metadata)) throw new KeySetError("not_metadata");
  if (metadata["issuer"] !== issuer) throw new KeySetError("issuer_mismatch");
  return fetchDocument(fetch, keySetAddress(metadata["jwks_uri"], issuer), signal);
}

/** OpenID Connect appends the well-known path, RFC 8414 section 3.1 inserts it before the issuer's own. */
async function fetchMetadata(fetch: Fetch, issuer: string, signal: AbortSignal): Promise<JsonValue> {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, "");
  try {
    return await fetchDocument(fetch, new URL(`${origin}${path}/.well-known/openid-configuration`), signal);
  } catch (err) {
    if (!isAbsent(err)) throw err;
    return fetchDocument(fetch, new URL(`${origin}/.well-known/oauth-authorization-server${path}`), signal);
  }
}

/** Servers say "no such document" in several ways, all of them 4xx. */
const isAbsent = (err: unknown): boolean =>
  err instanceof KeySetError && err.httpStatus !== undefined && err.httpStatus >= 400 && err.httpStatus < 500;

function keySetAddress(value: JsonValue | undefined, issuer: string): URL {
  const url = typeof value === "string" ? URL.parse(value) : null;
  // A remote issuer must not send us to a plain port of our own machine.
  if (url === null || !isTrustworthy(url, isLoopback(new URL(issuer)))) {
    throw new KeySetError("key_set_address");
  }
  return url;
}

const isTrustworthy = (url: URL, isIssuerLoopback: boolean): boolean =>
  url.protocol === "https:" || (url.protocol === "http:" && isIssuerLoopback && isLoopback(url));

/** The URL parser has already written every spelling of an address in its one normal form. */
export const isLoopback = ({ hostname }: URL): boolean =>
  hostname === "localhost" || hostname === "[::1]" || /^127(\.\d{1,3}){3}$/.test(hostname);
