/**
 * Prints the bill of materials of the packages that the Dockerfile installs, as CycloneDX: `npm run --silent sbom`. npm is shown
 * a manifest and a lockfile without the others, for its own `--omit dev` also leaves out whatever a development package
 * needs too (npm/cli#7909).
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface Package {
  readonly dev?: boolean;
  readonly optional?: boolean;
}

const withoutOthers = ({
  devDependencies: _dev,
  optionalDependencies: _optional,
  ...rest
}: Record<string, unknown>) => rest;

const manifest = JSON.parse(readFileSync("package.json", "utf8"));
const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
const packages = Object.entries<Package>(lock.packages)
  .filter(([, { dev, optional }]) => dev !== true && optional !== true)
  .map(([path, entry]) => [path, path === "" ? withoutOthers({ ...entry }) : entry]);

const temporary = mkdtempSync(join(tmpdir(), "keyturn-sbom-"));
try {
  // npm calls the component by the name of its folder.
  const folder = join(temporary, "keyturn");
  mkdirSync(folder);
  writeFileSync(join(folder, "package.json"), JSON.stringify(withoutOthers(manifest)));
  writeFileSync(
    join(folder, "package-lock.json"),
    JSON.stringify({ ...lock, packages: Object.fromEntries(packages) }),
  );
  const args = ["sbom", "--package-lock-only", "--sbom-format", "cyclonedx", "--sbom-type", "application"];
  const { status } = spawnSync("npm", args, { cwd: folder, stdio: "inherit" });
  process.exitCode = status ?? 1;
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
