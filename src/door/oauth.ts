import type { IncomingMessage, ServerResponse } from "node:http";
import type { DescMethodUnary, JsonObject } from "@bufbuild/protobuf";
import { TokenService } from "../../gen/keyturn/v1/token_service_pb.ts";
import { type Fault, invalidRequest } from "../domain/fault.ts";
import type { Call } from "../rpc/call.ts";
import { statusOf } from "../rpc/errors.ts";
import { readBody } from "./body.ts";
import { commonHeaders, faultHeaders, httpStatusOf, sendJson } from "./http-answer.ts";

/** Whether the REST edge speaks OAuth on the paths of this method: forms, HTTP Basic, and errors as RFC 6749 has them. */
export const isOAuth = (method: DescMethodUnary): boolean => method.parent.typeName === TokenService.typeName;

/** Whether client id and secret may come by HTTP Basic: where they say who calls. */
export const takesBasic = (method: DescMethodUnary): boolean =>
  isOAuth(method) && method.localName === TokenService.method.mintToken.localName;

/** Whether the body is a form, as RFC 6749, 7009 and 7662 want it. JSON is read as on every other path. */
export const isForm = (contentType: string | undefined): boolean =>
  /^application\/x-www-form-urlencoded\s*(;|$)/i.test(contentType ?? "");

/**
 * The fields of a form. Those that we do not know are ignored, and none may be sent twice (RFC 6749 section 3.2).
 * @throws FaultError invalid_request, message_too_large
 */
export async function readForm(req: IncomingMessage, call: Call, bytesMax: number): Promise<JsonObject> {
  const form = new URLSearchParams(textOf(await readBody(req, bytesMax, call.signal)));
  const known = call.method.input.fields;
  const fields: JsonObject = {};
  for (const [name, text] of form) {
    if (text === "" || !known.some((field) => field.name === name)) continue;
    if (name in fields) throw invalidRequest(`${name} is sent more than once`);
    fields[name] = text;
  }
  return fields;
}

/**
 * OAuth's parameters come in the body alone, so that no access log has a secret (RFC 6749 section 2.3.1). What else stands
 * in the query is ignored (section 3.2).
 * @throws FaultError invalid_request
 */
export function requireBareQuery(query: string): void {
  if (query === "") return;
  for (const name of new URLSearchParams(query).keys())
    if (PARAMETERS.has(name)) throw invalidRequest(`${name} belongs in the body and not in the query`);
}

/** Of any of these calls: a secret is one at whatever path it was sent to by mistake. */
const PARAMETERS: ReadonlySet<string> = new Set([
  ...TokenService.methods.flatMap(({ input }) => input.fields.map(({ name }) => name)),
  "access_token",
]);

/**
 * Client id and secret from HTTP Basic, each form-encoded before (RFC 6749 section 2.3.1), beside what the body has.
 * @throws FaultError invalid_request for a secret that comes both ways, and for what is not Basic.
 */
export function withBasic(call: Call, fields: JsonObject): JsonObject {
  if (!takesBasic(call.method)) return fields;
  const authorization = call.header("authorization");
  const [, encoded] = /^Basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(authorization ?? "") ?? [];
  if (encoded === undefined) {
    if (/^Basic\b/i.test(authorization ?? "")) throw invalidRequest("the Basic authorization is malformed");
    return fields;
  }
  const [, id, secret] = /^([^:]*):(.*)$/s.exec(Buffer.from(encoded, "base64").toString()) ?? [];
  if (id === undefined || secret === undefined) throw invalidRequest("the Basic authorization is malformed");
  const [clientId, clientSecret] = [formDecoded(id), formDecoded(secret)];
  // In JSON `null` means absent.
  const isTwice =
    (fields["client_secret"] ?? null) !== null || (fields["client_id"] ?? clientId) !== clientId;
  if (isTwice) throw invalidRequest("client id and secret come in the header and in the body");
  return { ...fields, client_id: clientId, client_secret: clientSecret };
}

function formDecoded(text: string): string {
  if (!/[%+]/.test(text)) return text;
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    throw invalidRequest("the Basic authorization is malformed");
  }
}

const UTF8 = new TextDecoder("utf-8", { fatal: true });

function textOf(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw invalidRequest("the body is not UTF-8");
  }
}

/** `{"error":"…","error_description":"…"}` (RFC 6749 section 5.2, RFC 6750 section 3.1). */
export function sendOAuthFault(res: ServerResponse, call: Call, fault: Fault): void {
  const { httpStatus, body } = oauthAnswerOf(fault);
  const headers = {
    ...commonHeaders(call.requestId),
    ...(body.error === "temporarily_unavailable" ? RETRY : {}),
    ...faultHeaders(fault),
    pragma: "no-cache",
  };
  sendJson(res, httpStatus, headers, body);
}

/** What OAuth has for a fault. */
export function oauthAnswerOf(fault: Fault): {
  readonly httpStatus: number;
  readonly body: { readonly error: string; readonly error_description: string };
} {
  const body = { error: oauthErrorOf(fault), error_description: statusOf(fault).message };
  return { httpStatus: oauthStatusOf(fault), body };
}

/** All of these calls may be repeated, also when nobody knows whether one took effect. */
const RETRY = { "retry-after": "1" };

function oauthStatusOf(fault: Fault): number {
  if (fault.kind === "lock_timeout") return 503;
  return oauthErrorOf(fault) === "invalid_request" ? 400 : httpStatusOf(statusOf(fault));
}

function oauthErrorOf(fault: Fault): string {
  switch (fault.kind) {
    case "invalid_client":
    case "unsupported_grant_type":
    case "invalid_scope":
      return fault.kind;
    case "unauthenticated":
      return "invalid_token";
    case "permission_denied":
      return "insufficient_scope";
    case "too_many_attempts":
    case "lock_timeout":
    case "unavailable":
    case "deadline_exceeded":
    case "cancelled":
      return "temporarily_unavailable";
    case "internal":
      return "server_error";
    default:
      return "invalid_request";
  }
}
