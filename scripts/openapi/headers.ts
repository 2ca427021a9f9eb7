import { SANE_REQUEST_ID } from "../../src/rpc/call.ts";
import type { Schema } from "./rules.ts";

const ref = (name: string): Schema => ({ $ref: `#/components/headers/${name}` });

/** Headers of answers, by what they go with. */
export const HEADERS = {
  common: { "X-Request-Id": ref("RequestId"), "Cache-Control": ref("NoStore") },
  location: { Location: ref("Location") },
  retry: { "Retry-After": ref("RetryAfter") },
  authenticate: { "WWW-Authenticate": ref("Authenticate") },
} as const;

/** What they refer to. */
export const HEADER_COMPONENTS: Readonly<Record<string, Schema>> = {
  RequestId: {
    description: "The request's own, when it is a sane one, else a UUID: what the log calls this call.",
    required: true,
    schema: { type: "string" },
  },
  NoStore: {
    description: "Nothing of this may be kept by a cache.",
    required: true,
    schema: { type: "string", const: "no-store" },
  },
  Location: {
    description: "Path at which the new resource can be read.",
    required: true,
    schema: { type: "string" },
  },
  RetryAfter: {
    description: "Seconds after which the call may be tried again blindly; absent when it may not.",
    schema: { type: "string", pattern: "^[1-9]\\d*$" },
  },
  Authenticate: {
    description: "How to authenticate (RFC 6750, RFC 7617).",
    schema: { type: "string" },
  },
};

/** Headers of requests, by reference. */
export const requestHeader = (name: keyof typeof PARAMETER_COMPONENTS): Schema => ({
  $ref: `#/components/parameters/${name}`,
});

export const PARAMETER_COMPONENTS = {
  RequestId: {
    name: "X-Request-Id",
    in: "header",
    description:
      "What this call is to be called in the log and in the audit trail. Another than this is replaced.",
    schema: { type: "string", pattern: SANE_REQUEST_ID.source },
  },
  IdempotencyKey: {
    name: "Idempotency-Key",
    in: "header",
    description:
      "UUID (version 4) that makes the call safe to repeat; the same as `requestId` in the body. A retry with the same body gets the same answer, for ten minutes and until its first use with the secret, then without; with another body it is refused.",
    schema: {
      type: "string",
      pattern: "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-4[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}$",
    },
  },
} as const;
