import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { ROOT, runCommand, scopeOf } from "./keyturn-command.ts";

/** A Node of today that says it is another. */
function pretending(version: string): string[] {
  const disguise = `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "${version}" } });`;
  return ["--import", `data:text/javascript,${encodeURIComponent(disguise)}`];
}

function assertSaysWhatItNeeds(result: { status: unknown; out: string; err: string }, version: string): void {
  assert.deepEqual([result.status, result.out], [1, ""]);
  assert.match(result.err, /^Keyturn needs Node 22\.18 [^\n]*$/);
  assert.ok(result.err.includes(version), result.err);
}

for (const version of ["12.22.12", "18.20.8", "20.20.2", "22.17.1", "23.5.0"]) {
  test(`Node ${version} gets one line that says which Node is needed, and exit code 1`, async (t) => {
    const nodeOptions = pretending(version);
    assertSaysWhatItNeeds(await runCommand(scopeOf(t), ["serve"], {}, { nodeOptions }), version);
  });
}

for (const version of ["22.18.0", "23.6.0", "24.0.0", "26.1.0"]) {
  test(`Node ${version} runs`, async (t) => {
    const { status, out } = await runCommand(
      scopeOf(t),
      ["--help"],
      {},
      { nodeOptions: pretending(version) },
    );
    assert.equal(status, 0);
    assert.match(out, /^Usage: keyturn /);
  });
}

/** The Node that this machine has besides the one that the project brings along, if it is an old one. */
function oldNode(): { path: string; version: string } | undefined {
  const folders = (process.env["PATH"] ?? "")
    .split(delimiter)
    .filter((folder) => !folder.includes("node_modules"));
  for (const folder of folders) {
    const path = join(folder, "node");
    const version = spawnSync(path, ["--version"], { encoding: "utf8" }).stdout?.trim().slice(1) ?? "";
    if (/^(\d|1\d|20|21)\./.test(version)) return { path, version };
  }
  return undefined;
}

const old = oldNode();
test("the old Node of this machine gets that line too", {
  skip: old === undefined ? "this machine has no old Node" : false,
}, async (t) => {
  const { path = "", version = "" } = old ?? {};
  const program = [path, join(ROOT, "bin/keyturn.mjs")];
  assertSaysWhatItNeeds(await runCommand(scopeOf(t), ["serve"], {}, { program }), version);
});
