import { Buffer } from "node:buffer";
import { type Attack, payloadOf, withPayload, withPayloadText } from "./forge.ts";

export const payloadAttacks: readonly Attack[] = [
  ["payload null", "malformed", withPayload("null")],
  ["payload a list", "malformed", withPayload("[]")],
  ["payload a string", "malformed", withPayload('"iss"')],
  ["payload a number", "malformed", withPayload("1")],
  ["payload with a byte order mark", "malformed", withPayloadText(/^/, "\ufeff")],
  ["payload with something behind", "malformed", withPayloadText(/$/, "{}")],
  [
    "payload not UTF-8",
    "malformed",
    (target) =>
      withPayload(Buffer.from(payloadOf(target).replace("user-1", "user-\u00ff"), "latin1"))(target),
  ],
  ["payload with a lone surrogate", "malformed", withPayloadText("user-1", "\\ud800")],
  [
    "payload nested too deeply",
    "malformed",
    withPayloadText("{", `{"deep":${"[".repeat(40)}${"]".repeat(40)},`),
  ],
  ["sub twice", "malformed", withPayloadText("{", '{"sub":"admin",')],
  ["sub twice, once escaped", "malformed", withPayloadText("{", '{"s\\u0075b":"admin",')],
  ["tenant twice", "malformed", withPayloadText(/}$/, ',"tenant_id":"other"}')],
  [
    "a member twice in a nested object",
    "malformed",
    withPayloadText("{", '{"realm_access":{"roles":[],"roles":["owner"]},'),
  ],
  ["no claims", "issuer", withPayload("{}")],
  [
    "all claims under __proto__",
    "issuer",
    (target) => withPayload(`{"__proto__":${payloadOf(target)}}`)(target),
  ],
];
