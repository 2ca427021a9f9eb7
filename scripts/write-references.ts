/**
 * Writes the references that are derived from the code, so that they cannot part from it: `npm run generate`. With
 * `--check` it writes nothing, names those that are not current, and ends with 1 if there are any.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { openapiDocument } from "./openapi/document.ts";
import { commandLineReference } from "./references/command-line.ts";
import { configurationReference } from "./references/configuration.ts";
import { errorReference } from "./references/errors.ts";
import { metricsReference } from "./references/metrics.ts";

const REFERENCES: Readonly<Record<string, () => string | Promise<string>>> = {
  "docs/command-line.md": commandLineReference,
  "docs/configuration.md": configurationReference,
  "docs/errors.md": errorReference,
  "docs/metrics.md": metricsReference,
  "gen/openapi.json": openapiDocument,
};

const isCheck = process.argv.includes("--check");

function written(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

const texts = await Promise.all(
  Object.entries(REFERENCES).map(async ([path, textOf]) => ({ path, text: await textOf() })),
);
const stale = texts.filter(({ path, text }) => written(path) !== text);
for (const { path, text } of stale) {
  if (isCheck) process.stdout.write(`${path} is not what the code says: npm run generate\n`);
  else writeFileSync(path, text);
}
process.exitCode = isCheck && stale.length > 0 ? 1 : 0;
