import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

interface Lock {
  readonly packages: Readonly<
    Record<
      string,
      {
        version?: string;
        integrity?: string;
        resolved?: string;
        link?: boolean;
        optionalDependencies?: Versions;
      }
    >
  >;
}
type Versions = Readonly<Record<string, string>>;

const manifest = JSON.parse(readFileSync("package.json", "utf8")) as {
  readonly dependencies: Versions;
  readonly devDependencies: Versions;
  readonly optionalDependencies: Versions;
};
const lock = JSON.parse(readFileSync("package-lock.json", "utf8")) as Lock;
const installed = Object.entries(lock.packages).filter(([path]) => path !== "");

/** Versions below which a known fault is open: see docs/adr/0008. */
const AT_LEAST: Versions = {
  "@connectrpc/connect-node": "2.2.0",
  "@grpc/grpc-js": "1.14.7",
  "drizzle-orm": "0.45.4",
  jose: "6.2.18",
  postgres: "3.4.9",
  protobufjs: "7.5.5",
};

const DIRECT_DEPENDENCIES_MAX = 18;

test("every version in the manifest is exact", () => {
  const all = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };
  assert.deepEqual(
    Object.entries(all).filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)),
    [],
  );
});

test("every installed package is pinned by its integrity, and none comes from git or a URL", () => {
  const loose = installed.filter(
    ([, entry]) => !entry.integrity?.startsWith("sha512-") || entry.link === true,
  );
  assert.deepEqual(
    loose.map(([path]) => path),
    [],
  );
  assert.deepEqual(
    installed.filter(([, { resolved }]) => resolved !== undefined).map(([path]) => path),
    [],
  );
});

/** A platform's package that the registry lacked when the lockfile was written makes `npm ci` fail everywhere. */
test("the lockfile has every optional package of every package, whatever the platform", () => {
  const names = new Set(installed.map(([path]) => path.replace(/^.*node_modules\//, "")));
  const wanted = installed.flatMap(([, entry]) => Object.keys(entry.optionalDependencies ?? {}));
  assert.ok(wanted.length > 20);
  assert.deepEqual(
    wanted.filter((name) => !names.has(name)),
    [],
  );
});

test("no package is older than the version that mended a fault we know", () => {
  for (const [name, minimum] of Object.entries(AT_LEAST)) {
    const versions = installed
      .filter(([path]) => path.endsWith(`node_modules/${name}`))
      .map(([, { version }]) => version ?? "");
    assert.ok(versions.length > 0, `${name} is not installed`);
    for (const version of versions)
      assert.ok(compare(version, minimum) >= 0, `${name} ${version} < ${minimum}`);
  }
});

test("the product depends on few packages directly", () => {
  const count = Object.keys(manifest.dependencies).length;
  assert.ok(count <= DIRECT_DEPENDENCIES_MAX, `${count}`);
});

function compare(left: string, right: string): number {
  const numbers = (version: string) => version.split(/[.-]/).slice(0, 3).map(Number);
  const [a, b] = [numbers(left), numbers(right)];
  return a.map((value, index) => value - (b[index] ?? 0)).find((difference) => difference !== 0) ?? 0;
}
