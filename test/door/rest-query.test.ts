import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@bufbuild/protobuf";
import { ServiceAccountService } from "../../gen/keyturn/v1/service_account_service_pb.ts";
import { fieldsOf, getThing, postThing, restClient } from "../support/rest-client.ts";

const QUERIES: readonly (readonly [query: string, message: JsonObject])[] = [
  ["", {}],
  ["&&", {}],
  ["size=7", { size: 7 }],
  ["size=-2147483648", { size: -2147483648 }],
  ["size=2147483647", { size: 2147483647 }],
  ["size=0", {}],
  ["weight=9007199254740993", { weight: "9007199254740993" }],
  ["loud=true", { loud: true }],
  ["loud=false", {}],
  ["note=", {}],
  ["note", {}],
  ["note=a=b=c", { note: "a=b=c" }],
  ["note=a?b", { note: "a?b" }],
  ["note=a+b%20c%2Bd", { note: "a b c+d" }],
  ["note=%E2%82%AC%F0%9F%94%91", { note: "€🔑" }],
  ["n%6Fte=x", { note: "x" }],
  ["note=__proto__", { note: "__proto__" }],
  ["ownerId=o", { ownerId: "o" }],
  ["owner_id=o", { ownerId: "o" }],
  ["since=2026-01-02T03:04:05Z", { since: "2026-01-02T03:04:05Z" }],
  ["since=2026-01-02T03:04:05.678%2B01:00", { since: "2026-01-02T02:04:05.678Z" }],
  ["pause=3600s", { pause: "3600s" }],
  ["pause=0.500s", { pause: "0.500s" }],
  ["updateMask=ownerId,size", { updateMask: "ownerId,size" }],
  ["color=dark_blue", { color: "COLOR_DARK_BLUE" }],
  ["colors=red&colors=dark_blue&colors=red", { colors: ["COLOR_RED", "COLOR_DARK_BLUE", "COLOR_RED"] }],
  ["behavior=OUTPUT_ONLY", { behavior: "OUTPUT_ONLY" }],
  ["tags=a&tags=&tags=a", { tags: ["a", "", "a"] }],
  ["tags=a,b", { tags: ["a,b"] }],
  ["sizes=1&size=2&sizes=3", { size: 2, sizes: [1, 3] }],
  [
    "instants=2026-01-02T03:04:05Z&instants=2027-01-02T03:04:05Z",
    { instants: ["2026-01-02T03:04:05Z", "2027-01-02T03:04:05Z"] },
  ],
  ["&note=x&&loud=true&", { note: "x", loud: true }],
  [Array.from({ length: 64 }, () => "tags=x").join("&"), { tags: Array.from({ length: 64 }, () => "x") }],
];

for (const [query, message] of QUERIES) {
  test(`the query "${query.slice(0, 60)}" is its fields`, () => {
    assert.deepEqual(getThing.message({ query }), { id: "t", ...message });
  });
}

const BAD_QUERIES: readonly (readonly [query: string, ...fields: string[]])[] = [
  // No such parameter.
  ["sise=7", "sise"],
  ["Size=7", "Size"],
  ["size%20=7", "size "],
  ["=7", ""],
  ["=", ""],
  ["__proto__=x", "__proto__"],
  ["__proto__[note]=x", "__proto__[note]"],
  ["constructor=x", "constructor"],
  ["toString=x", "toString"],
  ["hasOwnProperty", "hasOwnProperty"],
  ["tags[]=a", "tags[]"],
  ["tags[0]=a", "tags[0]"],
  ["note=x&sise=7&toString=x", "sise", "toString"],
  [`${"x".repeat(100)}=1`, "x".repeat(64)],
  // What a query cannot carry.
  ["part=x", "part"],
  ["part.color=red", "part.color"],
  ["parts=x", "parts"],
  ["labels=x", "labels"],
  ["labels[a]=x", "labels[a]"],
  ["ratio=1.5", "ratio"],
  // Once only.
  ["note=a&note=a", "note"],
  ["ownerId=a&owner_id=a", "owner_id"],
  ["size=1&size=2", "size"],
  ["loud=true&loud=true", "loud"],
  ["color=red&color=red", "color"],
  ["since=2026-01-02T03:04:05Z&since=2026-01-02T03:04:05Z", "since"],
  ["loud=false&loud=false", "loud"],
  ["note=&note=", "note"],
  // In the path already.
  ["id=t", "id"],
  ["i%64=t", "id"],
  // Percent encoding.
  ["note=%", "note"],
  ["note=%z1", "note"],
  ["note=%4", "note"],
  ["note=%ff", "note"],
  ["note=%c0%af", "note"],
  ["note=%ed%a0%80", "note"],
  ["note=%e2%82", "note"],
  ["note=\u00e9", "note"],
  ["note=a b", "note"],
  ["note=a\tb", "note"],
  ["tags=a&tags=%ff", "tags"],
  ["%=x", ""],
  ["%ff=x", ""],
  ["n\u00f6te=x", ""],
  // Numbers.
  ...[
    "",
    "+1",
    "1.0",
    "1e2",
    "0x10",
    "%201",
    "1%20",
    "01",
    "-0",
    "--1",
    "one",
    "NaN",
    "Infinity",
    "1_000",
    "٣",
  ].map((text): readonly [string, string] => [
    `size=${encodeURIComponent(decodeURIComponent(text))}`,
    "size",
  ]),
  ["size=2147483648", "size"],
  ["size=-2147483649", "size"],
  ["size=99999999999999999999999999", "size"],
  ["size", "size"],
  ["weight=9223372036854775808", "weight"],
  ["weight=0x10", "weight"],
  ["weight=", "weight"],
  ["sizes=1&sizes=two", "sizes"],
  ["sizes=1&sizes=", "sizes"],
  // Booleans.
  ...["", "1", "0", "True", "TRUE", "yes", "on", "true%20", "null", "constructor"].map(
    (text): readonly [string, string] => [`loud=${text}`, "loud"],
  ),
  // Instants, durations and masks.
  ...[
    "",
    "2026-01-02",
    "2026-02-30T00:00:00Z",
    "2026-01-02T24:00:00Z",
    "1767322800",
    "2026-01-02T03:04:05+01:00",
  ].map((text): readonly [string, string] => [`since=${text}`, "since"]),
  ...[
    "",
    "1",
    "s",
    "1m",
    "1S",
    "1s%20",
    "1sx",
    "1ss",
    "%201s",
    "+1s",
    "1.s",
    ".5s",
    "1e3s",
    "0x1s",
    "315576000001s",
  ].map((text): readonly [string, string] => [`pause=${text}`, "pause"]),
  ["instants=2026-01-02T03:04:05Z&instants=2026-02-30T00:00:00Z", "instants"],
  ["updateMask=", "update_mask"],
  ["updateMask=owner_id", "update_mask"],
  ["behavior=", "behavior"],
  ["behavior=output_only", "behavior"],
  ["behavior=3", "behavior"],
];

for (const [query, ...expected] of BAD_QUERIES) {
  test(`the query "${query.slice(0, 60)}" is refused at ${expected.map((field) => `"${field}"`).join(" and ")}`, () => {
    assert.deepEqual(fieldsOf(getThing.refused({ query })), expected);
  });
}

test("more than 64 parameters are refused without a look at any", () => {
  const violations = getThing.refused({ query: Array.from({ length: 65 }, (_, at) => `p${at}=%`).join("&") });
  assert.deepEqual(fieldsOf(violations), [""]);
});

test("a binding with a body has no parameters, not even those of its body", () => {
  for (const name of ["note", "owner_id", "ownerId", "sise", "__proto__"]) {
    assert.deepEqual(fieldsOf(postThing.refused({ query: `${name}=x`, body: "{}" })), [name]);
  }
  assert.deepEqual(postThing.message({ query: "&", body: '{"note":"x"}' }), { ownerId: "o", note: "x" });
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

test("a word that is none is refused in a query with the words that there are", () => {
  for (const word of [...NO_WORDS, "red%20", "red%00"]) {
    for (const name of ["color", "colors"]) {
      const violations = getThing.refused({ query: `${name}=${word}` });
      assert.deepEqual(violations, [{ field: name, description: `must be ${WORDS}` }], word);
    }
  }
});

const listAccounts = restClient(
  ServiceAccountService.method.listServiceAccounts,
  "GET",
  "/v1/regions/global/iam/service-accounts",
);

test("the words of our own resources are those of the contract", () => {
  assert.deepEqual(listAccounts.message({ query: "scope=project&status=disabled&pageSize=50" }), {
    pageSize: 50,
    scope: "SERVICE_ACCOUNT_SCOPE_PROJECT",
    status: "SERVICE_ACCOUNT_STATUS_DISABLED",
  });
  assert.deepEqual(listAccounts.refused({ query: "scope=team&status=SERVICE_ACCOUNT_STATUS_DISABLED" }), [
    { field: "scope", description: "must be organization or project" },
    { field: "status", description: "must be active or disabled" },
  ]);
});
