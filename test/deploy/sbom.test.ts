import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { billFaults, readProject } from "../support/packages.ts";

test("the bill of materials is CycloneDX and has every package of the image, and no other", () => {
  const { status, stdout, stderr } = spawnSync("npm", ["run", "--silent", "sbom"], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  const bill = JSON.parse(stdout);
  assert.equal(bill.bomFormat, "CycloneDX");
  assert.deepEqual(billFaults(readProject("."), bill), []);
});
