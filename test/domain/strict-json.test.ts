import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { JSON_DEPTH_MAX, parseStrictJson, StrictJsonError } from "../../src/domain/strict-json.ts";

const problemOf = (input: string | Uint8Array) => {
  try {
    parseStrictJson(input);
  } catch (err) {
    assert.ok(err instanceof StrictJsonError, String(err));
    return { problem: err.problem, path: err.path, key: err.key };
  }
  return undefined;
};

const nested = (depth: number, open = "[", close = "]") => open.repeat(depth) + close.repeat(depth);

const accepted = [
  "null",
  "true",
  " \t\r\n-0.5e-3 ",
  "1e400",
  "9007199254740993",
  '""',
  '"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9"',
  '"\\ud83d\\ude00"',
  '"{\\"a\\":1,\\"a\\":2}"',
  '"\\\\"',
  '["\\\\","\\\\\\"",","]',
  "[]",
  "{}",
  '{"":0}',
  '{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}',
  '{"a":"a","b":"a"}',
  '["a","a"]',
  '{"a":["b","b",{"b":"b"}],"b":1}',
  '{"A":1,"a":2}',
  '{"\\u00e9":1,"e\\u0301":2}',
  nested(JSON_DEPTH_MAX),
];

for (const text of accepted) {
  test(`gives what JSON.parse gives: ${JSON.stringify(text).slice(0, 50)}`, () => {
    assert.deepEqual(parseStrictJson(text), JSON.parse(text));
    assert.deepEqual(parseStrictJson(Buffer.from(text)), JSON.parse(text));
  });
}

const refused: readonly [problem: string, text: string | Uint8Array][] = [
  ["syntax", ""],
  ["syntax", " "],
  ["syntax", "{"],
  ["syntax", "[1,]"],
  ["syntax", '{"a":1,}'],
  ["syntax", "{a:1}"],
  ["syntax", "{'a':1}"],
  ["syntax", "01"],
  ["syntax", "+1"],
  ["syntax", "1."],
  ["syntax", "NaN"],
  ["syntax", "Infinity"],
  ["syntax", "undefined"],
  ["syntax", "1 2"],
  ["syntax", "[] // why"],
  ["syntax", '"\t"'],
  ["syntax", '"\\x41"'],
  ["syntax", "\ufeff{}"],
  ["syntax", Buffer.from("\ufeff{}")],
  ["syntax", "\u00a0{}"],
  ["utf8", Buffer.from([0x22, 0xff, 0x22])],
  ["utf8", Buffer.from([0x22, 0xc0, 0xaf, 0x22])],
  ["utf8", Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
  ["utf8", Buffer.from([0x22, 0xe2, 0x82])],
  ["lone_surrogate", '"\ud800"'],
  ["lone_surrogate", '"\\ud800"'],
  ["lone_surrogate", '"\\ude00\\ud83d"'],
  ["lone_surrogate", '{"\\ud800":1}'],
  ["lone_surrogate", '[["a\\udfffb"]]'],
  ["too_deep", nested(JSON_DEPTH_MAX + 1)],
  ["too_deep", nested(JSON_DEPTH_MAX + 1, '{"a":', "}").replace(":}", ":0}")],
  ["too_deep", nested(100_000)],
];

for (const [problem, text] of refused) {
  test(`refuses as ${problem}: ${JSON.stringify(text).slice(0, 60)}`, () => {
    assert.equal(problemOf(text)?.problem, problem);
  });
}

const duplicates: readonly [text: string, path: string, key: string][] = [
  ['{"a":1,"a":1}', "", "a"],
  ['{"a":1,"b":2,"a":3}', "", "a"],
  ['{"a":{"x":1},"a":2}', "", "a"],
  ['{"a":[{"a":1}],"a":2}', "", "a"],
  ['{"a" : 1 , "\\u0061" : 2}', "", "a"],
  ['{"\\u0061":1,"a":2}', "", "a"],
  ['{"\\"":1,"\\u0022":2}', "", '"'],
  ['{"":1,"":2}', "", ""],
  ['{"__proto__":1,"__proto__":2}', "", "__proto__"],
  ['{"policy":{"rules":[1,{},{"b":1,"b":2}]}}', "policy.rules[2]", "b"],
  ['[[],[{"a":{"b":1,"b":2}}]]', "[1][0].a", "b"],
  [`{"${"k".repeat(200)}":{"${"l".repeat(200)}":1,"${"l".repeat(200)}":2}}`, "k".repeat(64), "l".repeat(64)],
];

for (const [text, path, key] of duplicates) {
  test(`names the duplicate key of ${text.slice(0, 50)}`, () => {
    assert.deepEqual(problemOf(text), { problem: "duplicate_key", path, key });
  });
}

test("a key __proto__ is a plain member and pollutes nothing", () => {
  const value = parseStrictJson('{"__proto__":{"polluted":true},"constructor":{"prototype":1}}');
  assert.deepEqual(Object.keys(value as object), ["__proto__", "constructor"]);
  assert.equal(Object.getPrototypeOf(value), Object.prototype);
  assert.equal(({} as Record<string, unknown>)["polluted"], undefined);
});

test("an error repeats nothing of the text but the key", () => {
  for (const text of ['{"secret":hunter2}', '{"a":"hunter2","a":"hunter2"}', '"hunter2\\ud800"']) {
    assert.throws(
      () => parseStrictJson(text),
      (err: Error) =>
        !`${err.message} ${err.stack} ${String(err.cause)}`.split("\n    at ")[0]?.includes("hunter2"),
    );
  }
});

test("agrees with JSON.parse on every cut of a text", () => {
  const text = '{"a":[1,-2.5e3,"\\u00e9\\"",null],"b":{"c":true,"d":{}}}';
  for (let end = 0; end <= text.length; end++) {
    const cut = text.slice(0, end);
    assert.equal(problemOf(cut)?.problem, end === text.length ? undefined : "syntax", cut);
  }
});
