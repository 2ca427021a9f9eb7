import {
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailureSchema,
  QuotaFailureSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";
import type { Schema } from "./rules.ts";
import { messageRef, type Schemas } from "./schemas.ts";

const FURTHER = [
  BadRequestSchema,
  QuotaFailureSchema,
  PreconditionFailureSchema,
  RetryInfoSchema,
  ResourceInfoSchema,
];

/** The envelope of errors (AIP-193 as the contract has it), and what OAuth has in its place. */
export function addErrorSchemas(schemas: Schemas): void {
  const typed = (desc: (typeof FURTHER)[number] | typeof ErrorInfoSchema, more: Schema = {}): Schema => ({
    allOf: [messageRef(schemas, desc)],
    type: "object",
    properties: { "@type": { const: `type.googleapis.com/${desc.typeName}` }, ...more },
    required: ["@type", ...Object.keys(more)],
  });
  schemas.components.set("Error", {
    type: "object",
    description: "What went wrong. Decide by the reason in the ErrorInfo, never by the message.",
    properties: {
      error: {
        type: "object",
        properties: {
          code: { type: "integer", description: "The HTTP status." },
          message: { type: "string", description: "For people: what to do next." },
          details: {
            type: "array",
            description: "Messages of `google.rpc`: one ErrorInfo first, then whatever says more.",
            prefixItems: [
              typed(ErrorInfoSchema, { reason: { type: "string" }, domain: { const: "keyturn" } }),
            ],
            items: { anyOf: FURTHER.map((desc) => typed(desc)) },
            minItems: 1,
          },
        },
        required: ["code", "message", "details"],
        additionalProperties: false,
      },
    },
    required: ["error"],
    additionalProperties: false,
  });
  schemas.components.set("OAuthError", {
    type: "object",
    description: "What went wrong (RFC 6749 section 5.2, RFC 6750 section 3.1).",
    properties: {
      error: { type: "string" },
      error_description: { type: "string", description: "For people: what to do next." },
    },
    required: ["error", "error_description"],
    additionalProperties: false,
  });
}
