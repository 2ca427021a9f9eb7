import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { SERVICES } from "../../src/rpc/services.ts";
import { type Comments, commentOn } from "../references/proto-comments.ts";
import { valuesOf } from "./rules.ts";

/** Names of fields as comments write them, and as JSON does. */
const JSON_NAMES: ReadonlyMap<string, string> = new Map(
  Object.values(SERVICES)
    .flatMap(({ methods }) => methods.flatMap(({ input, output }) => [input, output]))
    .flatMap(({ fields }) => fields.map(({ name, jsonName }) => [name, jsonName])),
);

/** What a comment says of a field. */
export function wordsOn(comments: Comments, field: DescField): string {
  return inJson(commentOn(comments, `${field.parent.typeName}.${field.name}`), valuesOf(field));
}

/** What a comment says of a message, a method or an enum. */
export const wordsOnType = (comments: Comments, desc: Pick<DescMessage, "typeName">): string =>
  inJson(commentOn(comments, desc.typeName));

/** Without what gRPC callers are told of errors: this document has them status by status. */
export function withoutErrors(text: string): string {
  return text
    .split("\n\n")
    .map((paragraph) => paragraph.replace(/(^|\s)(Errors:|Every call can also end in) .*$/s, "").trim())
    .filter((paragraph) => paragraph !== "" && paragraph !== "Not at the REST edge.")
    .join("\n\n");
}

/** The first sentence, without its full stop. */
export const firstSentence = (text: string): string => text.replace(/\n/g, " ").replace(/[.:;] .*$|\.$/s, "");

/** `expires_at` as `expiresAt`, except where that is a value. */
export function inJson(text: string, values: readonly string[] = []): string {
  return text.replace(/`([a-z]+(?:_[a-z]+)+)`/g, (whole, name: string) =>
    values.includes(name) ? whole : `\`${JSON_NAMES.get(name) ?? name}\``,
  );
}
