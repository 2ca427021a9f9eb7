import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";

const SCRIPT = `
import { getHeapStatistics } from "node:v8";
import { collectGarbageOfStart } from "./src/cli/start-garbage.ts";
let garbage = Array.from({ length: 500_000 }, () => ({}));
garbage = undefined;
const look = () => {
  const { used_heap_size: used, number_of_native_contexts: contexts } = getHeapStatistics();
  const { rss: resident, arrayBuffers } = process.memoryUsage();
  return { used, contexts, resident, arrayBuffers };
};
const before = look();
collectGarbageOfStart();
console.log(JSON.stringify({ before, after: look(), isKnown: "gc" in globalThis }));
`;

test("the garbage of a start is collected at once, without a context or a function for that", async () => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [
    "--input-type=module",
    "--no-warnings",
    "--eval",
    SCRIPT,
  ]);
  assert.equal(stderr, "");
  const { before, after, isKnown } = JSON.parse(stdout);
  assert.ok(after.used < before.used - 8e6, stdout);
  assert.ok(after.resident < before.resident + 8e6, stdout);
  assert.ok(after.arrayBuffers < before.arrayBuffers + 1e6, stdout);
  assert.equal(after.contexts, 1);
  assert.equal(isKnown, false);
});
