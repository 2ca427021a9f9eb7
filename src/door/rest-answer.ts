import type { DescMessage, DescMethodUnary, JsonObject, MessageShape } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { toRestJson } from "./rest-json.ts";

/** What a call that has succeeded is answered. */
export interface RestAnswer {
  readonly httpStatus: 200 | 201 | 204;
  /** Where the new resource can be read. */
  readonly location?: string;
  /** None with 204. */
  readonly body?: JsonObject;
}

/**
 * AIP-133 and AIP-135 name the methods; the contract gives them HTTP's own words for success. Where nothing was written
 * (AIP-163), nothing is created or gone.
 */
export function restAnswer(
  method: DescMethodUnary,
  request: MessageShape<DescMessage>,
  response: MessageShape<DescMessage>,
): RestAnswer {
  const isWritten = !isValidateOnly(method.input, request);
  if (isWritten && /^Delete[A-Z]/.test(method.name)) return { httpStatus: 204 };
  const body = toRestJson(method.output, response);
  if (!isWritten || !/^(Create|Rotate)[A-Z]/.test(method.name)) return { httpStatus: 200, body };
  const location = locationOf(body["selfLink"]);
  return { httpStatus: 201, body, ...(location === undefined ? {} : { location }) };
}

function isValidateOnly(desc: DescMessage, request: MessageShape<DescMessage>): boolean {
  const field = desc.fields.find(({ name }) => name === "validate_only");
  return field !== undefined && reflect(desc, request).get(field) === true;
}

/** A resource's `selfLink` has not the literal segments that the published paths have. */
function locationOf(selfLink: unknown): string | undefined {
  return typeof selfLink === "string" ? selfLink.replace(/^\/v1\//, "/v1/regions/global/") : undefined;
}
