import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Administrator, givenAdministrator } from "../support/administrator.ts";
import { fromRest, violatedFields } from "../support/doors.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { bodySchemaOf, OPERATIONS, type Operation, type Schema, schemaAt } from "../support/openapi.ts";
import { callAsDocumented, type Sent } from "../support/openapi-caller.ts";

let h: TestKeyturn;
let admin: Administrator;
before(async () => {
  h = await givenKeyturn();
  admin = await givenAdministrator(h);
});
after(() => h.stop());

/** Values just outside what a schema allows, with the keyword that forbids each. */
function outside({ type, format, maxLength, minimum, maximum, enum: words, pattern, ...more }: Schema) {
  const values: [keyword: string, value: unknown][] = [
    ["maxLength", typeof maxLength === "number" ? "a".repeat(maxLength + 1) : undefined],
    ["minimum", typeof minimum === "number" ? minimum - 1 : undefined],
    ["maximum", typeof maximum === "number" ? maximum + 1 : undefined],
    ["enum", words === undefined ? undefined : "nonsense"],
    ["pattern", pattern === undefined ? undefined : "-"],
    ["format", format === "date-time" ? "yesterday" : undefined],
    ["type", type === "boolean" || type === "integer" ? "soon" : undefined],
    ["maxItems", typeof more["maxItems"] === "number" ? tooMany(more["maxItems"], more["items"]) : undefined],
    [
      "uniqueItems",
      more["uniqueItems"] === true ? [...tooMany(0, more["items"]), ...tooMany(0, more["items"])] : undefined,
    ],
    [
      "x-maximum",
      more["x-maximum"] === undefined ? undefined : `${Number.parseInt(`${more["x-maximum"]}`, 10) + 1}s`,
    ],
    [
      "x-minimum",
      more["x-minimum"] === undefined ? undefined : `${Number.parseInt(`${more["x-minimum"]}`, 10) - 1}s`,
    ],
  ];
  return values.filter(([, value]) => value !== undefined);
}

const tooMany = (maxItems: number, items: unknown): string[] =>
  Array.from({ length: maxItems + 1 }, (_, at) =>
    (items as Schema)["format"] === "cidr" ? `10.0.${at}.0/24` : `r${at}`,
  );

/** Path ids that are well formed; what is refused is refused before anything is looked up. */
const SOMEWHERE = { serviceAccountId: "sa-one", id: "sa-one" };

interface Place {
  readonly name: string;
  readonly schema: Schema;
  readonly sent: (value: unknown) => Sent;
}

function placesOf(operation: Operation): Place[] {
  const parameters = operation.parameters.filter((parameter) => parameter.in !== "header");
  const properties = Object.entries(
    (bodySchemaOf(operation)?.["properties"] ?? {}) as Record<string, Schema>,
  );
  return [
    ...parameters.map((parameter) => ({
      name: parameter.name,
      schema: schemaAt(parameter.schema),
      sent: (value: unknown): Sent =>
        parameter.in === "path"
          ? { path: { ...SOMEWHERE, [parameter.name]: String(value) } }
          : { query: { [parameter.name]: String(value) } },
    })),
    ...properties.map(([name, schema]) => ({
      name,
      schema: schemaAt(schema),
      sent: (value: unknown): Sent => ({ body: { ...required(operation), [name]: value } }),
    })),
  ];
}

/** So that nothing else is wrong with the request. */
const required = ({ operationId }: Operation) =>
  operationId === "createServiceAccount" ? { id: "sa-one", displayName: "One" } : {};

const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

for (const operation of OPERATIONS.filter(({ path }) => path.startsWith("/v1/regions/global/iam"))) {
  test(`${operation.operationId} refuses what is just outside each documented bound, by the name of its field`, async () => {
    for (const { name, schema, sent } of placesOf(operation)) {
      for (const [keyword, value] of outside(schema)) {
        const answer = await callAsDocumented(h, operation, {
          path: SOMEWHERE,
          token: admin.token,
          ...sent(value),
        });
        const what = `${name} ${keyword}: ${answer.text}`;
        assert.equal(answer.status, 400, what);
        const [field = ""] = violatedFields(fromRest(answer.status, answer.headers, answer.body));
        assert.equal(field.replace(/\[\d+\]$/, ""), snake(name), what);
      }
    }
  });
}

test("an update mask that the document shows names members of its own request", () => {
  const masks = OPERATIONS.flatMap((operation) => {
    const { updateMask, ...members } = (bodySchemaOf(operation)?.["properties"] ?? {}) as Record<
      string,
      Schema
    >;
    const shown = (updateMask?.["examples"] ?? []) as string[];
    return shown.map((mask) => ({ names: mask.split(","), members: Object.keys(members) }));
  });
  assert.equal(masks.length, 2);
  for (const { names, members } of masks)
    assert.deepEqual(
      names,
      names.filter((name) => members.includes(name)),
    );
});
