import { unauthenticated } from "../domain/fault.ts";

/** `b64token` of RFC 6750 section 2.1, after one space. A list of several credentials has a comma and never matches. */
const BEARER = /^bearer ([A-Za-z0-9\-._~+/]+=*)$/i;

/**
 * The token of an `Authorization` header (RFC 6750 section 2.1; the scheme's case does not matter, RFC 9110 section 11.1).
 * @throws FaultError `unauthenticated`: `missing` without a header, `malformed` for anything but one bearer token.
 */
export function bearerToken(authorization: string | undefined | null): string {
  if (authorization === undefined || authorization === null || authorization === "") {
    throw unauthenticated("missing");
  }
  const token = BEARER.exec(authorization)?.[1];
  if (token === undefined) throw unauthenticated("malformed");
  return token;
}
