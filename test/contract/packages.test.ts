import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  absentOptionals,
  faultyVersions,
  idleFaults,
  looseVersions,
  PROJECTS,
  readProject,
  scriptsNotDenied,
  unexplained,
  unpinned,
} from "../support/packages.ts";

const product = readProject(".");

for (const folder of PROJECTS) {
  const project = readProject(folder);
  test(`every version in the manifest of ${folder} is exact`, () => {
    assert.deepEqual(looseVersions(project), []);
  });

  test(`every package of ${folder} is pinned by its integrity, and none comes from git or a URL`, () => {
    assert.ok(project.locked.size > 50);
    assert.deepEqual(unpinned(project), []);
  });

  test(`the lockfile of ${folder} has every optional package of every package, whatever the platform`, () => {
    assert.deepEqual(absentOptionals(project), []);
  });

  test(`no package of ${folder} may run a script at its installation`, () => {
    assert.deepEqual(scriptsNotDenied(project), []);
  });

  test(`no package of ${folder} is older than the version that mended a fault we know`, () => {
    assert.deepEqual(faultyVersions(project), []);
  });
}

test("every fault that we know is one of a package that is installed", () => {
  assert.deepEqual(idleFaults(product), []);
});

test("the product depends on few packages directly, and each is there for a reason that is written down", () => {
  assert.deepEqual(unexplained(product, readFileSync("docs/adr/0008-packages.md", "utf8")), []);
});
