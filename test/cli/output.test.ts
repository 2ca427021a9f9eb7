import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "yaml";
import { createTable, fieldsTable } from "../../src/cli/table.ts";
import { yamlItem, yamlOf } from "../../src/cli/yaml.ts";

const HARD = [
  "",
  "plain",
  "two words",
  "yes",
  "No",
  "null",
  "~",
  "on",
  "1",
  "1e3",
  "0x1f",
  "2026-11-24",
  "2026-11-24T16:33:30.765Z",
  "12:30:45",
  "a: b",
  "a #b",
  "- a",
  "a,b",
  "{a}",
  "[a]",
  "&a",
  "*a",
  "!a",
  "%a",
  "@a",
  "`a`",
  "|",
  ">",
  "?",
  ".inf",
  ".nan",
  "<<",
  '"',
  "'",
  "\\",
  "line\nbreak",
  "tab\t",
  "\u0000\u0007\u001b[31m",
  "\u0085\u2028\u2029\ufeff",
  "smile 😀",
  "a@acme.iam",
  "/v1/iam",
];

test("YAML says of every text exactly what JSON says, in either version of YAML", () => {
  const value = {
    texts: HARD,
    keys: Object.fromEntries(HARD.map((text, index) => [text, index])),
    objects: HARD.map((text) => ({ text, more: [text, { text }] })),
    empty: { list: [], object: {} },
    others: [true, false, null, 0, -1.5, 1e21, []],
  };
  for (const version of ["1.2", "1.1"] as const) {
    assert.deepEqual(parse(yamlOf(value), { version, uniqueKeys: true }), value);
    const list = `items:\n${value.objects.map(yamlItem).join("")}`;
    assert.deepEqual(parse(list, { version }), { items: value.objects });
  }
});

test("a table keeps its columns from page to page, and shows what is absent as -", () => {
  const table = createTable(["id", "lastUsedAt", "labels"]);
  const first = table.rows([
    { id: "long-identifier", labels: { a: "b", c: "d" } },
    { id: "b", lastUsedAt: "now" },
  ]);
  assert.deepEqual(first.split("\n"), [
    "ID               LAST USED AT  LABELS",
    "long-identifier  -             a=b,c=d",
    "b                now           -",
    "",
  ]);
  assert.equal(table.rows([{ id: "c", labels: {} }]), "c                -             -\n");
});

test("fields of a resource stand a line each, those of resources in it by their path, lists of such below", () => {
  const text = fieldsTable({ id: "a", inner: { id: "b" }, roles: ["x", "y"], rows: [{ id: "c" }] });
  assert.equal(text, "id        a\ninner.id  b\nroles     x, y\n\nrows:\nID\nc\n");
});

test("no text of somebody else's reaches the terminal as a command to it", () => {
  for (const name of ["\u001b]0;owned\u0007", "a\u202eb", "a\nb", "a\u009b31m", "\u2028"]) {
    const text = createTable(["name"]).rows([{ name }]) + fieldsTable({ name });
    assert.match(text, /^NAME\n[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+\nname {2}[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+\n$/u);
  }
});
