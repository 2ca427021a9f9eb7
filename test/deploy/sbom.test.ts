import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";

test("the bill of materials is CycloneDX and has every package of the image, and no other", () => {
  const { status, stdout, stderr } = spawnSync("npm", ["run", "--silent", "sbom"], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  const { bomFormat, components } = JSON.parse(stdout);
  assert.equal(bomFormat, "CycloneDX");
  const lock: {
    packages: Record<string, { version: string; dev?: boolean; optional?: boolean; peer?: boolean }>;
  } = JSON.parse(readFileSync("package-lock.json", "utf8"));
  const inImage = Object.entries(lock.packages)
    .filter(([path, { dev, optional }]) => path !== "" && dev !== true && optional !== true)
    .map(([path, { version }]) => `${path.replace(/^.*node_modules\//, "")}@${version}`);
  assert.deepEqual(
    new Set(
      components.map(({ purl }: { purl: string }) => decodeURIComponent(purl.slice("pkg:npm/".length))),
    ),
    new Set(inImage),
  );
});
