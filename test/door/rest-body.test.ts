import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@bufbuild/protobuf";
import { fieldsOf, getThing, postThing } from "../support/rest-client.ts";

const BODIES: readonly (readonly [body: string, message: JsonObject])[] = [
  ["{}", {}],
  ['{"note":null,"since":null,"color":null,"tags":null,"labels":null,"part":null,"updateMask":null}', {}],
  ['{"ownerId":null}', {}],
  ['{"owner_id":null}', {}],
  [
    '{"validate_only":true,"validateOnly2":null}'.replace(',"validateOnly2":null', ""),
    { validateOnly: true },
  ],
  ['{"part":{"color":null,"since":null}}', { part: {} }],
  ['{"size":7,"weight":"8"}', { size: 7, weight: "8" }],
  ['{"size":"7","weight":8}', { size: 7, weight: "8" }],
  ['{"pause":"-0.5s"}', { pause: "-0.500s" }],
  [
    '{"labels":{"__proto__":"x","constructor":"y"}}',
    { labels: JSON.parse('{"__proto__":"x","constructor":"y"}') },
  ],
];

for (const [body, message] of BODIES) {
  test(`the body ${body.slice(0, 60)} is its fields`, () => {
    assert.deepEqual(postThing.message({ body }), { ownerId: "o", ...message });
  });
}

const BAD_BODIES: readonly (readonly [body: string, ...fields: string[]])[] = [
  ['{"sise":7}', "sise"],
  ['{"sise":null}', "sise"],
  ['{"__proto__":null}', "__proto__"],
  ['{"__proto__":{"note":"x"}}', "__proto__"],
  ['{"constructor":null,"toString":1}', "constructor", "toString"],
  ['{"part":{"sise":7}}', "part.sise"],
  ['{"parts":[{},{"__proto__":7}]}', "parts.__proto__"],
  ['{"ownerId":"o"}', "ownerId"],
  ['{"owner_id":"o"}', "owner_id"],
  ['{"ownerId":""}', "ownerId"],
  ['{"validateOnly":true,"validate_only":true}', "validate_only"],
  ['{"validateOnly":null,"validate_only":true}', "validate_only"],
  ['{"validateOnly":true,"validate_only":null}', "validate_only"],
  ['{"sise":7,"color":"RED","ownerId":"o"}', "sise", "color", "ownerId"],
  ['{"note":7,"loud":"true","size":"x","since":"x","pause":"x"}', "note", "loud", "size", "since", "pause"],
  ['{"tags":["a",null]}', "tags"],
  ['{"tags":"a"}', "tags"],
  ['{"colors":["red",null]}', "colors"],
  ['{"colors":"red"}', "colors"],
  ['{"shades":["red"]}', "shades"],
  ['{"labels":{"a":null}}', "labels"],
  ['{"part":[]}', "part"],
  ['{"size":"0x10"}', "size"],
  ['{"size":"0b1"}', "size"],
  ['{"size":" 1"}', "size"],
  ['{"sizes":[1,"0x10"]}', "sizes"],
  ['{"weight":"0x10"}', "weight"],
  ['{"pause":"1s or so"}', "pause"],
  ['{"pause":"1.0000000001s"}', "pause"],
  ['{"instants":["2026-02-30T00:00:00Z"]}', "instants"],
  ['{"part":{"since":"2026-02-30T00:00:00Z"}}', "part"],
  ['{"updateMask":"owner_id"}', "update_mask"],
  ['{"updateMask":["note"]}', "update_mask"],
];

for (const [body, ...expected] of BAD_BODIES) {
  test(`the body ${body} is refused at ${expected.join(" and ")}`, () => {
    assert.deepEqual(fieldsOf(postThing.refused({ body })), expected);
  });
}

test("a refusal never repeats what was sent as a value", () => {
  const body = JSON.stringify({
    note: 1,
    color: "hunter2",
    size: "hunter2",
    since: "hunter2",
    pause: "hunter2",
    part: { color: "hunter2" },
    requestId: "hunter2",
  });
  assert.doesNotMatch(JSON.stringify(postThing.refused({ body, idempotencyKey: "other" })), /hunter2/);
  const query = "size=hunter2&since=hunter2&color=hunter2&pause=hunter2&loud=hunter2";
  assert.doesNotMatch(JSON.stringify(getThing.refused({ query })), /hunter2/);
});

test("a misfit says what its field must be", () => {
  const described = (body: object) =>
    postThing.refused({ body: JSON.stringify(body) }).map((v) => v.description);
  assert.deepEqual(described({ pause: "1" }), ["must be a number of seconds that ends in s"]);
  assert.deepEqual(described({ size: "x" }), ["must be a whole number in range"]);
  assert.deepEqual(described({ loud: 1 }), ["must be true or false"]);
  assert.deepEqual(described({ tags: [1] }), ["must be a list and each item a string"]);
  assert.deepEqual(described({ labels: { a: 1 } }), ["must be an object and each value a string"]);
});

const WORDS = "red or dark_blue";
const NO_WORDS = [
  "RED",
  "Red",
  "COLOR_RED",
  "color_red",
  "unspecified",
  "COLOR_UNSPECIFIED",
  "",
  "1",
  "0",
  "blue",
  "__proto__",
  "toString",
];

test("a word that is none is refused in a body with the words that there are", () => {
  for (const word of [...NO_WORDS, 1, 0, true, [], {}, ["red"]]) {
    const violations = postThing.refused({ body: JSON.stringify({ color: word }) });
    assert.deepEqual(violations, [{ field: "color", description: `must be ${WORDS}` }], String(word));
  }
});

test("words are read in lists, maps and nested messages, and refused there by their path", () => {
  const words = (color: string) => ({
    colors: ["red", color],
    shades: { ["__proto__"]: "red", night: color },
    part: { color },
    parts: [{ color: "red" }, { color, tags: ["red"] }],
  });
  assert.deepEqual(postThing.message({ body: JSON.stringify(words("dark_blue")) }), {
    ownerId: "o",
    colors: ["COLOR_RED", "COLOR_DARK_BLUE"],
    shades: JSON.parse('{"__proto__":"COLOR_RED","night":"COLOR_DARK_BLUE"}'),
    part: { color: "COLOR_DARK_BLUE" },
    parts: [{ color: "COLOR_RED" }, { color: "COLOR_DARK_BLUE", tags: ["red"] }],
  });
  const violations = postThing.refused({ body: JSON.stringify(words("COLOR_RED")) });
  assert.deepEqual(fieldsOf(violations), ["colors", "shades", "part.color", "parts.color"]);
});

test("enums of other packages are as proto JSON has them", () => {
  assert.deepEqual(postThing.message({ body: '{"behavior":"REQUIRED"}' }), {
    ownerId: "o",
    behavior: "REQUIRED",
  });
  assert.deepEqual(fieldsOf(postThing.refused({ body: '{"behavior":"required"}' })), ["behavior"]);
});
