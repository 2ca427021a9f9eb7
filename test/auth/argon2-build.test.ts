import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { compileArgon2, missingForArgon2 } from "../../scripts/argon2/compile.ts";
import { folderOfArgon2, hashesOf } from "../../scripts/argon2/hashes.ts";

const missing = missingForArgon2();
const installed = join(folderOfArgon2, "build", "Release", "argon2.node");

function givenBuild(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "keyturn-argon2-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  compileArgon2(folder, "native");
  return folder;
}

const said = (env: Readonly<Record<string, string>>): string => {
  const program = `import { loadedArgon2 } from "./src/auth/argon2-build.ts"; console.log(loadedArgon2())`;
  const args = ["--input-type=module", "--eval", program];
  return spawnSync(process.execPath, args, {
    env: { ...process.env, ...env },
    encoding: "utf8",
  }).stdout.trim();
};

test("argon2 that is built here makes the strings of the package's own build, and a process says which it has", {
  skip: missing ?? false,
}, (t) => {
  const folder = givenBuild(t);
  const own = hashesOf({ PREBUILDS_ONLY: "1" });
  const built = hashesOf({ ARGON2_PREBUILD: folder });
  assert.deepEqual(built.hashes, own.hashes);
  assert.ok(new Set(own.hashes).size > 100);
  assert.equal(said({ ARGON2_PREBUILD: folder }), "built_here");
  t.diagnostic(
    `${built.msOfHash.toFixed(1)} ms of processor a hash, the package's own ${own.msOfHash.toFixed(1)} ms`,
  );
});

test("the package's own build is what a process has that has no other, and says so", () => {
  assert.equal(said({ PREBUILDS_ONLY: "1" }), "prebuilt");
});

test("without a compiler nothing changes: exit code 2, and what is missing", () => {
  const before = existsSync(installed) && statSync(installed).ino;
  const { status, stderr } = spawnSync(process.execPath, ["scripts/build-argon2.ts"], {
    env: { ...process.env, CC: "no-such-compiler" },
    encoding: "utf8",
  });
  assert.equal(status, 2);
  assert.match(stderr, process.platform === "linux" ? /no-such-compiler/ : /Linux/);
  assert.equal(existsSync(installed) && statSync(installed).ino, before);
});

test("a compiler that fails changes nothing: exit code 1, and what it said", {
  skip: missing ?? false,
}, () => {
  const before = existsSync(installed) && statSync(installed).ino;
  const { status, stderr } = spawnSync(
    process.execPath,
    ["scripts/build-argon2.ts", "--march", "no-such-machine"],
    { encoding: "utf8" },
  );
  assert.equal(status, 1);
  assert.match(stderr, /no-such-machine/);
  assert.equal(existsSync(installed) && statSync(installed).ino, before);
});
