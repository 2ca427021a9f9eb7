import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTraceparent, traceparentOf } from "../../src/observability/trace-context.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";

test("a traceparent is read, and written as it was", () => {
  for (const [flags, isSampled] of [
    ["00", false],
    ["01", true],
  ] as const) {
    const header = `00-${TRACE}-${SPAN}-${flags}`;
    const parent = parseTraceparent(header);
    assert.deepEqual(parent, { traceId: TRACE, spanId: SPAN, isSampled });
    assert.equal(traceparentOf(parent as NonNullable<typeof parent>), header);
  }
});

test("flags that are not known yet, and later versions, are read for what is known", () => {
  assert.equal(parseTraceparent(`00-${TRACE}-${SPAN}-fe`)?.isSampled, false);
  assert.equal(parseTraceparent(`00-${TRACE}-${SPAN}-ff`)?.isSampled, true);
  assert.equal(parseTraceparent(`cc-${TRACE}-${SPAN}-01-what-comes`)?.traceId, TRACE);
});

const MALFORMED = [
  undefined,
  "",
  "canary",
  `ff-${TRACE}-${SPAN}-01`,
  `00-${TRACE}-${SPAN}-01-more`,
  `cc-${TRACE}-${SPAN}-01more`,
  `00-${"0".repeat(32)}-${SPAN}-01`,
  `00-${TRACE}-${"0".repeat(16)}-01`,
  `00-${TRACE.toUpperCase()}-${SPAN}-01`,
  `00-${TRACE.slice(1)}-${SPAN}-01`,
  `00-${TRACE}-${SPAN}`,
  `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`,
];
for (const header of MALFORMED) {
  test(`${header} is no traceparent`, () => assert.equal(parseTraceparent(header), undefined));
}
