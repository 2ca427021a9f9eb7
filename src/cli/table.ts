import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { isJsonObject } from "../domain/strict-json.ts";

const GAP = "  ";

/** Rows below their headings. Columns never get narrower, so that page after page stands in one table. */
export function createTable(columns: readonly string[]): { rows(items: readonly JsonObject[]): string } {
  const widths = columns.map(headingOf).map(({ length }) => length);
  let isBegun = false;
  const lineOf = (cells: readonly string[]) =>
    cells
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join(GAP)
      .trimEnd();
  return {
    rows(items) {
      const rows = items.map((item) => columns.map((column) => cellOf(item[column])));
      for (const row of rows)
        for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
      const lines = [...(isBegun ? [] : [lineOf(columns.map(headingOf))]), ...rows.map(lineOf)];
      isBegun = true;
      return lines.map((line) => `${line}\n`).join("");
    },
  };
}

/** One resource, a field a line. Lists of resources follow, each as a table of its own. */
export function fieldsTable(value: JsonObject): string {
  const fields = flat(value, "");
  const width = Math.max(0, ...fields.map(([name]) => name.length));
  const lines = fields.map(([name, text]) => `${name.padEnd(width)}${GAP}${text}`.trimEnd());
  const tables = Object.entries(value).filter(([, item]) => isTable(item)) as [string, JsonObject[]][];
  return [
    ...lines.map((line) => `${line}\n`),
    ...tables.map(([name, items]) => `\n${name}:\n${createTable(Object.keys(items[0] ?? {})).rows(items)}`),
  ].join("");
}

function flat(value: JsonObject, path: string): [string, string][] {
  return Object.entries(value).flatMap(([key, item]): [string, string][] => {
    if (isTable(item)) return [];
    return isJsonObject(item) ? flat(item, `${path}${key}.`) : [[`${path}${key}`, cellOf(item)]];
  });
}

const isTable = (value: JsonValue): boolean =>
  Array.isArray(value) && value.length > 0 && value.every(isJsonObject);

function cellOf(value: JsonValue | undefined): string {
  if (value === undefined || value === null) return "-";
  if (Array.isArray(value)) return value.map(cellOf).join(", ") || "-";
  if (typeof value !== "object") return printable(String(value));
  return (
    Object.entries(value)
      .map(([key, item]) => `${printable(key)}=${cellOf(item)}`)
      .join(",") || "-"
  );
}

/** Whoever may name a credential must not write into the terminal of whoever lists it. */
export const printable = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    [...JSON.stringify(character).slice(1, -1)].length > 1
      ? JSON.stringify(character).slice(1, -1)
      : `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`,
  );

/** `lastUsedAt` as `LAST USED AT`. */
const headingOf = (column: string): string => column.replace(/(?=[A-Z])/g, " ").toUpperCase();
