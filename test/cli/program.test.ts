import assert from "node:assert/strict";
import { test } from "node:test";
import manifest from "../../package.json" with { type: "json" };
import { runProgram } from "./program-runner.ts";

test("the command line says which version it is", async () => {
  assert.deepEqual(await runProgram(["--version"]), { status: 0, out: `${manifest.version}\n`, err: "" });
});

test("help of a command is the same however it is asked for, and of none there is none", async () => {
  for (const path of [[], ["token"], ["credential"], ["credential", "create"], ["audit", "verify"]]) {
    const help = await runProgram([...path, "--help"]);
    assert.equal(help.status, 0);
    assert.ok(help.out.startsWith(`Usage: ${["keyturn", ...path].join(" ")} `), help.out);
    assert.deepEqual(await runProgram(["help", ...path]), help);
  }
  for (const path of [["nonsense"], ["credential", "nonsense"], ["credential", "create", "sa-one"]]) {
    const { status, out, err } = await runProgram(["help", ...path]);
    assert.deepEqual([status, out], [2, ""]);
    assert.match(err, /^error: unknown command '/);
  }
});

test("a token says for which organization and for whom it is, or there is none: 2", async () => {
  for (const args of [
    ["--org", "", "--sub", "someone"],
    ["--org", "acme", "--sub", " "],
  ]) {
    const { status, out, err } = await runProgram(["token", ...args]);
    assert.deepEqual([status, out], [2, ""]);
    assert.match(err, /must not be empty/);
  }
});
