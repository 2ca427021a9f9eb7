import type { JsonObject } from "@bufbuild/protobuf";
import { createTable, fieldsTable } from "./table.ts";
import type { Terminal } from "./terminal.ts";
import { yamlItem, yamlOf } from "./yaml.ts";

export const FORMATS = ["json", "yaml", "table"] as const;
export type Format = (typeof FORMATS)[number];

/** People read tables; programs, to which output goes when it is no terminal, read JSON. */
export const formatOf = (asked: Format | undefined, terminal: Terminal): Format =>
  asked ?? (terminal.isTerminal ? "table" : "json");

export function printResource(terminal: Terminal, format: Format, resource: JsonObject): void {
  terminal.out(TEXT_OF[format](resource));
}

const TEXT_OF: Readonly<Record<Format, (resource: JsonObject) => string>> = {
  json: (resource) => `${JSON.stringify(resource, undefined, 2)}\n`,
  yaml: yamlOf,
  table: fieldsTable,
};

/** Prints a list while its pages come in. */
export interface ListPrinter {
  page(items: readonly JsonObject[]): void;
  end(): void;
}

/** @param name what the list is called in the API's own answer, which JSON and YAML keep. */
export function printList(
  terminal: Terminal,
  format: Format,
  { name, columns }: { readonly name: string; readonly columns: readonly string[] },
): ListPrinter {
  const table = createTable(columns);
  let count = 0;
  const textOf = (item: JsonObject) => {
    if (format === "yaml") return count++ === 0 ? `${name}:\n${yamlItem(item)}` : yamlItem(item);
    const json = JSON.stringify(item, undefined, 2).replaceAll("\n", "\n    ");
    return `${count++ === 0 ? `{\n  ${JSON.stringify(name)}: [` : ","}\n    ${json}`;
  };
  return {
    page(items) {
      terminal.out(format === "table" ? table.rows(items) : items.map(textOf).join(""));
    },
    end() {
      if (format === "yaml" && count === 0) terminal.out(`${name}: []\n`);
      if (format !== "json") return;
      terminal.out(count === 0 ? `{\n  ${JSON.stringify(name)}: []\n}\n` : "\n  ]\n}\n");
    },
  };
}
