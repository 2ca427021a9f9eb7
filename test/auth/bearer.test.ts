import assert from "node:assert/strict";
import { test } from "node:test";
import { bearerToken } from "../../src/auth/bearer.ts";
import { unauthenticated } from "../../src/domain/fault.ts";

const TOKEN = "abc.DEF-_~+/09.x==";

for (const scheme of ["Bearer", "bearer", "BEARER", "bEaReR"]) {
  test(`takes the token after ${scheme}`, () => {
    assert.equal(bearerToken(`${scheme} ${TOKEN}`), TOKEN);
  });
}

for (const header of [undefined, null, ""]) {
  test(`a header that is ${JSON.stringify(header)} is missing`, () => {
    assert.throws(() => bearerToken(header), unauthenticated("missing"));
  });
}

const malformed = [
  "Bearer",
  "Bearer ",
  TOKEN,
  `Bearer  ${TOKEN}`,
  `Bearer\t${TOKEN}`,
  ` Bearer ${TOKEN}`,
  `Bearer ${TOKEN} `,
  `Bearer ${TOKEN}\n`,
  `Bearer ${TOKEN}\r\nX-Tenant: other`,
  `Bearer ${TOKEN} ${TOKEN}`,
  `Bearer ${TOKEN},Bearer ${TOKEN}`,
  `Bearer ${TOKEN}, Bearer ${TOKEN}`,
  `Bearer "${TOKEN}"`,
  "Bearer =",
  "Bearer a=b",
  "Bearer tökèn",
  `Basic ${TOKEN}`,
  `DPoP ${TOKEN}`,
  `Bearer: ${TOKEN}`,
];

for (const header of malformed) {
  test(`refuses the header ${JSON.stringify(header)}`, () => {
    assert.throws(() => bearerToken(header), unauthenticated("malformed"));
  });
}

test("a long header without a token is refused at once", () => {
  assert.throws(() => bearerToken(`Bearer ${"a".repeat(100_000)}!`), unauthenticated("malformed"));
  assert.throws(() => bearerToken(`Bearer ${"=".repeat(100_000)}!`), unauthenticated("malformed"));
});
