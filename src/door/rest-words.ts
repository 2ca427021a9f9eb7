import type { DescEnum, DescField, DescMessage, JsonValue } from "@bufbuild/protobuf";
import { isJsonObject } from "../domain/strict-json.ts";

/** Whether it is of our own protos: only their enums are words at this edge (docs/adr/0005). */
export const isOwn = (desc: DescEnum | DescMessage): boolean =>
  desc.file.proto.package.startsWith("keyturn.");

/** `CREDENTIAL_STATUS_ACTIVE` as `active`. */
export const wordOf = (desc: DescEnum, name: string): string =>
  name.slice(desc.sharedPrefix?.length ?? 0).toLowerCase();

/** The words that a request may say, for a refusal: all but the one for zero, which is never sent. */
export const wordsOf = (desc: DescEnum): string =>
  sayable(desc)
    .map(({ name }) => wordOf(desc, name))
    .join(" or ");

/** The proto name of a word, spelt exactly so; undefined when it is none that a request may say. */
export const nameOfWord = (desc: DescEnum, word: JsonValue): string | undefined =>
  sayable(desc).find(({ name }) => wordOf(desc, name) === word)?.name;

/** The values that a caller may say, or hear. */
export const sayable = (desc: DescEnum) => desc.values.filter(({ number }) => number !== 0);

/**
 * Puts a field's JSON through `map` item by item: each of a list, each value of a map, or the value itself. What has not
 * the shape of its field is left as it is.
 */
export function mapItems(field: DescField, value: JsonValue, map: (item: JsonValue) => JsonValue): JsonValue {
  switch (field.fieldKind) {
    case "list":
      return Array.isArray(value) ? value.map(map) : value;
    case "map":
      if (!isJsonObject(value)) return value;
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, map(item)]));
    default:
      return map(value);
  }
}
