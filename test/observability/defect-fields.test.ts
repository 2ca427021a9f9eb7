import assert from "node:assert/strict";
import { test } from "node:test";
import { FaultError, unavailable } from "../../src/domain/fault.ts";
import { defectFields } from "../../src/observability/log.ts";

test("a fault without a cause, which has no frames, says which one it is", () => {
  const fields = (err: unknown) => {
    const { error, error_code, frames } = defectFields(err);
    return [error, error_code, (frames as readonly string[]).length > 0];
  };
  assert.deepEqual(fields(unavailable("database_queue", 50)), [
    "FaultError",
    "unavailable.database_queue",
    false,
  ]);
  assert.deepEqual(fields(new FaultError({ kind: "deadline_exceeded" })), [
    "FaultError",
    "deadline_exceeded",
    false,
  ]);
  assert.deepEqual(fields(new FaultError({ kind: "internal" })), ["FaultError", "internal", true]);
  const lost = Object.assign(new Error("of somebody"), { code: "CONNECTION_CLOSED" });
  assert.deepEqual(fields(unavailable("database", 50, { cause: lost })), [
    "Error",
    "CONNECTION_CLOSED",
    true,
  ]);
});
