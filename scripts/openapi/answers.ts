import { create, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { type RestAnswer, restAnswer } from "../../src/door/rest-answer.ts";
import type { Route } from "../../src/door/routes.ts";
import { HEADERS } from "./headers.ts";
import type { Schema } from "./rules.ts";
import { dryRunRef, messageRef, type Schemas } from "./schemas.ts";

/** Successful answers by status: those that the edge itself gives to a call, and to a dry run if there is one. */
export function successes(
  schemas: Schemas,
  route: Route,
  examples: Schema | undefined,
): Record<string, Schema> {
  const { input, output } = route.method;
  const answer = restAnswer(route.method, create(input), withLink(output));
  const real = responseOf(answer, WORDS[answer.httpStatus], () => messageRef(schemas, output), examples);
  const hasDryRun = input.fields.some(({ name }) => name === "validate_only");
  const dryRun = restAnswer(route.method, hasDryRun ? dryRunOf(input) : create(input), withLink(output));
  // Where both have one status, the same holds for both.
  if (dryRun.httpStatus === answer.httpStatus) return { [answer.httpStatus]: real };
  const ref = answer.body === undefined ? messageRef : dryRunRef;
  return {
    [dryRun.httpStatus]: responseOf(dryRun, "What it would do (`validateOnly`).", () => ref(schemas, output)),
    [answer.httpStatus]: real,
  };
}

function responseOf(
  { body, location }: RestAnswer,
  description: string,
  schema: () => Schema,
  examples?: Schema,
): Schema {
  const content = () => ({ schema: schema(), ...(examples === undefined ? {} : { examples }) });
  return {
    description,
    headers: location === undefined ? HEADERS.common : { ...HEADERS.common, ...HEADERS.location },
    ...(body === undefined ? {} : { content: { "application/json": content() } }),
  };
}

const WORDS = { 200: "Done.", 201: "Created.", 204: "Deleted. There is no body." } as const;

function dryRunOf(input: DescMessage): MessageShape<DescMessage> {
  const message = reflect(input);
  for (const field of input.fields)
    if (field.name === "validate_only" && field.fieldKind === "scalar") message.set(field, true);
  return message.message;
}

/** As it is when something was made: the edge takes `Location` from it. */
function withLink(output: DescMessage): MessageShape<DescMessage> {
  const message = reflect(output);
  for (const field of output.fields)
    if (field.name === "self_link" && field.fieldKind === "scalar") message.set(field, "/v1/iam/x");
  return message.message;
}
