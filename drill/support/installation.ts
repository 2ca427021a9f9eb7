import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { restCreate } from "../../test/support/clients.ts";
import { lacksRegistry, npm } from "../../test/support/npm.ts";
import { readProject } from "../../test/support/packages.ts";
import type { DrillRun } from "./drill.ts";
import { givenWorld } from "./world.ts";

/** How what npm installs differs from its lockfile; undefined where there was no registry to install from. */
export async function installAll(root: string): Promise<string[] | undefined> {
  const installed = await npm(root, ["ci", "--ignore-scripts", "--prefer-offline"]);
  if (lacksRegistry(installed)) return undefined;
  if (installed.status !== 0)
    return [`npm ci refuses: ${/^npm error (?!code).*$/m.exec(installed.stderr)?.[0]}`];
  // What is optional is left out where it is for another platform.
  return [...readProject(root).locked]
    .filter(([path, { optional }]) => optional !== true && !existsSync(join(root, path, "package.json")))
    .map(([path]) => `npm ci leaves out ${path}`);
}

/** Whether a server from these files and packages creates a credential. */
export async function createsCredential(run: DrillRun): Promise<boolean> {
  await using world = await givenWorld(run);
  const server = await world.serve();
  const [account = ""] = await world.accounts(1);
  const httpUrl = `http://${server.addresses.http}`;
  const { status } = await restCreate({ httpUrl }, account, await world.token());
  return status === 201;
}

/** Whether a package that is installed with the settings of this folder, and without a word more, may run a script of its own. */
export async function runsScripts(folder: string): Promise<boolean> {
  const place = mkdtempSync(join(tmpdir(), "keyturn-canary-"));
  try {
    const canary = join(place, "canary");
    const trace = join(place, "trace");
    mkdirSync(canary);
    cpSync(join(folder, ".npmrc"), join(place, ".npmrc"));
    writeFileSync(
      join(place, "package.json"),
      JSON.stringify({ private: true, dependencies: { canary: "file:canary" } }),
    );
    writeFileSync(
      join(canary, "package.json"),
      JSON.stringify({ name: "canary", version: "1.0.0", scripts: { postinstall: "node leave-trace.cjs" } }),
    );
    writeFileSync(
      join(canary, "leave-trace.cjs"),
      `require("node:fs").writeFileSync(${JSON.stringify(trace)}, "")`,
    );
    const installed = await npm(place, ["install", "--offline", "--install-links", "--no-package-lock"]);
    if (!existsSync(join(place, "node_modules/canary/leave-trace.cjs"))) throw new Error(installed.stderr);
    return existsSync(trace);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}
