/**
 * Everything that can be checked without a database, each step whatever became of the others, so that one run names
 * every fault. `npm run check`.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface Step {
  readonly name: string;
  readonly run: () => boolean;
}

const command =
  (...argv: readonly [string, ...string[]]) =>
  (): boolean => {
    const [file, ...args] = argv;
    return spawnSync(file, args, { stdio: "inherit" }).status === 0;
  };

const steps: readonly Step[] = [
  { name: "print validate.proto", run: command("node", "scripts/print-validate-proto.ts") },
  { name: "buf lint", run: command("buf", "lint", "proto") },
  { name: "buf format", run: command("buf", "format", "proto", "--diff", "--exit-code") },
  { name: "buf breaking", run: command("buf", "breaking", "proto", "--against", "proto/baseline.binpb") },
  { name: "generated code is current", run: generatedCodeIsCurrent },
  { name: "descriptor set is current", run: command("node", "scripts/write-descriptor-set.ts", "--check") },
  { name: "references are current", run: command("node", "scripts/write-references.ts", "--check") },
  { name: "openapi.json is sound", run: openapiIsSound },
  { name: "biome", run: command("biome", "ci", "--max-diagnostics=50") },
  { name: "tsc", run: command("tsc", "-p", "tsconfig.json") },
  { name: "knip", run: command("knip") },
  { name: "contract and architecture", run: contractTests },
];

/** It asks nobody whether there is a newer linter. */
function openapiIsSound(): boolean {
  const env = { ...process.env, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" };
  return spawnSync("redocly", ["lint", "gen/openapi.json"], { stdio: "inherit", env }).status === 0;
}

/** Generates into a folder of its own and compares, so that the answer does not depend on what git knows. */
function generatedCodeIsCurrent(): boolean {
  const folder = mkdtempSync(join(tmpdir(), "keyturn-gen-"));
  try {
    if (!command("buf", "generate", "--output", folder)()) return false;
    const expected = filesBelow(join(folder, "gen"));
    const found = filesBelow("gen");
    // It is made from the generated code: the references have it.
    found.delete("openapi.json");
    const names = new Set([...expected.keys(), ...found.keys()]);
    const stale = [...names].filter((name) => expected.get(name) !== found.get(name));
    for (const name of stale)
      process.stdout.write(`gen/${name} is not what the protos say: npm run generate\n`);
    return stale.length === 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function filesBelow(folder: string): Map<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  const paths = entries.map((entry) => join(entry.parentPath, entry.name));
  return new Map(paths.map((path) => [path.slice(folder.length + 1), readFileSync(path, "utf8")]));
}

function contractTests(): boolean {
  const files = readdirSync("test/contract").filter((file) => file.endsWith(".test.ts"));
  return command("node", "--test", "--test-reporter=dot", ...files.map((file) => `test/contract/${file}`))();
}

const failed = steps.filter(({ name, run }) => {
  process.stdout.write(`\n> ${name}\n`);
  return !run();
});
for (const { name } of failed) process.stdout.write(`failed: ${name}\n`);
if (failed.length === 0) process.stdout.write(`\n${steps.length} checks passed\n`);
process.exitCode = failed.length === 0 ? 0 : 1;
