import assert from "node:assert/strict";
import { test } from "node:test";
import { FaultError, unavailable } from "../../src/domain/fault.ts";
import { createLog } from "../../src/observability/log.ts";

/** Level and message of the one line that is written of a failure. */
function lineOf(err: unknown): readonly [level: string, msg: string, part: string] {
  const lines: string[] = [];
  createLog("info", { write: (line: string) => void lines.push(line) }).failed({ part: "sweeper" }, err);
  assert.equal(lines.length, 1);
  const { level, msg, part } = JSON.parse(lines[0] ?? "");
  return [level, msg, part];
}

const sqlError = (code: string) => Object.assign(new Error("of PostgreSQL"), { code });

test("what was away, full or slow is a warning, anything else an error", () => {
  const lost = Object.assign(new Error("of somebody"), { code: "CONNECTION_CLOSED" });
  for (const expected of [
    unavailable("database_queue", 50),
    unavailable("database", 50, { cause: lost }),
    ...["53300", "57P03", "25006"].map((code) => unavailable("database", 50, { cause: sqlError(code) })),
    new FaultError({ kind: "lock_timeout" }),
    new FaultError({ kind: "lock_timeout" }, { cause: sqlError("55P03") }),
    new FaultError({ kind: "deadline_exceeded" }),
    new FaultError({ kind: "cancelled" }),
  ])
    assert.deepEqual(lineOf(expected), ["warn", "trouble", "sweeper"], expected.fault.kind);
  for (const unexpected of [
    new FaultError({ kind: "internal" }, { cause: lost }),
    ...["28P01", "3D000", "58030"].map((code) => unavailable("database", 50, { cause: sqlError(code) })),
    new FaultError({ kind: "lock_timeout" }, { cause: sqlError("40P01") }),
    new FaultError({ kind: "etag_mismatch" }),
    new TypeError("of ours"),
    "no error at all",
  ])
    assert.deepEqual(lineOf(unexpected), ["error", "defect", "sweeper"], String(unexpected));
});
