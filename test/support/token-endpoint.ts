import assert from "node:assert/strict";
import { decodeJwt, type JWTPayload } from "jose";
import { type RestAnswer, rest } from "./clients.ts";
import type { IssuedCredential } from "./issued-credential.ts";
import type { TestKeyturn } from "./keyturn.ts";

export const TOKEN_PATHS = ["/v1/regions/global/auth/token", "/oauth2/token"] as const;
export const FORM = "application/x-www-form-urlencoded";

type Server = Pick<TestKeyturn, "httpUrl">;

/** What is posted to the token endpoint: one of `form`, `json` and `body`, or nothing. */
export interface TokenPost {
  readonly path?: string;
  /** As it stands, or by its fields. */
  readonly form?: string | Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Client id and secret for HTTP Basic. */
  readonly basic?: readonly [id: string, secret: string];
}

export function postToken(h: Server, sent: TokenPost): Promise<RestAnswer> {
  const { path = TOKEN_PATHS[0], form, json, basic } = sent;
  const headers = {
    ...(form === undefined ? {} : { "content-type": FORM }),
    ...(json === undefined ? {} : { "content-type": "application/json" }),
    ...(basic === undefined ? {} : { authorization: basicOf(...basic) }),
    ...sent.headers,
  };
  const body = bodyOf(sent);
  return rest(h, path, { method: "POST", headers, ...(body === undefined ? {} : { body }) });
}

function bodyOf({ form, json }: TokenPost): string | undefined {
  if (form !== undefined) return typeof form === "string" ? form : new URLSearchParams(form).toString();
  return json === undefined ? undefined : JSON.stringify(json);
}

/** RFC 6749 section 2.3.1: each of the two is form-encoded first. */
export const basicOf = (id: string, secret: string): string =>
  `Basic ${Buffer.from(`${formEncoded(id)}:${formEncoded(secret)}`).toString("base64")}`;

const formEncoded = (text: string): string => new URLSearchParams({ "": text }).toString().slice(1);

/** The fields with which a client asks for a token. */
export const fieldsOf = ({ clientId, secret }: Pick<IssuedCredential, "clientId" | "secret">) => ({
  grant_type: "client_credentials",
  client_id: clientId,
  client_secret: secret,
});

/** A token for this credential. */
export async function mintedToken(
  h: Server,
  issued: IssuedCredential,
  more: Readonly<Record<string, string>> = {},
): Promise<string> {
  const answer = await postToken(h, { form: { ...fieldsOf(issued), ...more } });
  assert.equal(answer.status, 200, answer.text);
  return answer.body.access_token;
}

export const claimsOf = (token: string): JWTPayload & Readonly<Record<string, unknown>> => decodeJwt(token);

const STEADY_HEADERS = [
  "cache-control",
  "content-type",
  "pragma",
  "retry-after",
  "www-authenticate",
  "x-content-type-options",
];

/** All by which two answers could be told apart, but for the time and the request id. */
export const bytesOf = ({ status, headers, text }: RestAnswer): string =>
  JSON.stringify([status, STEADY_HEADERS.map((name) => headers.get(name)), [...headers.keys()].sort(), text]);

/** The whole of an error by RFC 6749 section 5.2: its status, its word, and nothing else in the body. */
export function assertOAuthError(answer: RestAnswer, status: number, error: string): void {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.body.error, error, answer.text);
  assert.deepEqual(Object.keys(answer.body), ["error", "error_description"]);
  // The characters that section 5.2 allows in a description.
  assert.match(answer.body.error_description, /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/);
  assert.match(answer.headers.get("content-type") ?? "", /^application\/json/);
  assertNotKept(answer);
}

/** RFC 6749 section 5.1: no cache keeps it. */
export function assertNotKept({ headers }: RestAnswer): void {
  assert.equal(headers.get("cache-control"), "no-store");
  assert.equal(headers.get("pragma"), "no-cache");
}
