import { readFileSync } from "node:fs";
import { join } from "node:path";
import { npm } from "../../test/support/npm.ts";
import {
  absentOptionals,
  billFaults,
  faultyVersions,
  looseVersions,
  PROJECTS,
  readProject,
  scriptsNotDenied,
  unexplained,
  unpinned,
} from "../../test/support/packages.ts";
import { copyCheckout, filesOf, lendPackages } from "../support/checkout.ts";
import type { Broken, Drill, DrillRun, Invariant } from "../support/drill.ts";
import { createsCredential, installAll, runsScripts } from "../support/installation.ts";

export const drill: Drill = {
  title: "a copy of the checkout, what is installed from it and what is generated from it",
  invariants: ["locked", "accounted", "reproducible"],
  bugs: [
    {
      name: "a package without its hash",
      breaks: "locked",
      file: "package-lock.json",
      from: '"integrity": "sha512-RHxMLp9lnK',
      to: '"hash": "sha512-RHxMLp9lnK',
    },
    {
      name: "a package from git",
      breaks: "locked",
      file: "package-lock.json",
      from: '"node_modules/commander": {',
      to: '"node_modules/commander": { "resolved": "git+ssh://git@github.com/tj/commander.js.git#b5a1f2e",',
    },
    {
      name: "a package of the peers from a registry of its own",
      breaks: "locked",
      file: "bench/peers/package-lock.json",
      from: '"node_modules/kysely": {',
      to: '"node_modules/kysely": { "resolved": "https://packages.example.com/kysely.tgz",',
    },
    {
      name: "a package that may run its script",
      breaks: "locked",
      file: "package.json",
      from: '"argon2": false',
      to: '"argon2": true',
    },
    {
      name: "an npm that runs what nothing denies",
      breaks: "locked",
      file: ".npmrc",
      from: "ignore-scripts=true",
      to: "ignore-scripts=false",
    },
    {
      name: "a package with a fault that was mended",
      breaks: "accounted",
      file: "package-lock.json",
      from: '"node_modules/y18n": {\n      "version": "5.0.8"',
      to: '"node_modules/y18n": {\n      "version": "5.0.4"',
    },
    {
      name: "a package that nobody says why we take",
      breaks: "accounted",
      file: "docs/adr/0008-packages.md",
      from: "| `commander` | command line |",
      to: "| another | command line |",
    },
    {
      name: "a bill of materials as npm makes it (npm/cli#7909)",
      breaks: "accounted",
      file: "package.json",
      from: '"node scripts/print-sbom.ts"',
      to: '"npm sbom --package-lock-only --sbom-format cyclonedx --omit dev"',
    },
    {
      name: "generated code that somebody has written in",
      breaks: "reproducible",
      file: "gen/keyturn/v1/error_reason_pb.ts",
      from: "   * Never sent.",
      to: "   * Seldom sent.",
    },
  ],
  async run(run) {
    using copy = copyCheckout(run.root);
    const broken = [...faultsOf(copy.root), ...(await scriptFaults(copy.root))];
    const installation = await installationOf(run, copy.root, broken.length === 0);
    broken.push(...installation.broken);
    // Both are made by what is installed.
    if (installation.broken.length === 0)
      broken.push(...(await billOf(copy.root)), ...(await generatedAnew(copy.root)));
    const counts = PROJECTS.map((folder) => readProject(join(copy.root, folder)).locked.size);
    return {
      did: `${counts.join(" and ")} packages held against two lockfiles, a manifest and a record; all of gen made anew`,
      broken,
      figures: installation.figures,
    };
  },
};

const as = (invariant: Invariant, sentences: readonly string[]): Broken[] =>
  sentences.map((sentence) => ({ invariant, sentence }));

/** What can be read off the files. */
function faultsOf(root: string): Broken[] {
  const record = readFileSync(join(root, "docs/adr/0008-packages.md"), "utf8");
  const broken = PROJECTS.flatMap((folder) => {
    const project = readProject(join(root, folder));
    const rules = [looseVersions, unpinned, absentOptionals, scriptsNotDenied];
    return [
      ...as(
        "locked",
        rules.flatMap((faults) => faults(project)),
      ),
      ...as("accounted", faultyVersions(project)),
    ];
  });
  return [...broken, ...as("accounted", unexplained(readProject(root), record))];
}

async function scriptFaults(root: string): Promise<Broken[]> {
  const run = await Promise.all(PROJECTS.map((folder) => runsScripts(join(root, folder))));
  const folders = PROJECTS.filter((_folder, index) => run[index]);
  return as(
    "locked",
    folders.map((folder) => `in ${folder} npm runs the scripts of what it installs`),
  );
}

/** Installs the packages, and lends the copy those of the caller where that cannot be. */
async function installationOf(
  run: DrillRun,
  root: string,
  isSound: boolean,
): Promise<{ readonly broken: readonly Broken[]; readonly figures: string }> {
  const lend = (why: string) => {
    lendPackages(root);
    return { broken: [], figures: `not installed: ${why}` };
  };
  if (run.quick) return lend("the quick run leaves it out");
  if (!isSound) return lend("the lockfile is not as it should be");
  const faults = await installAll(root);
  if (faults === undefined) return lend("there is no registry");
  if (faults.length > 0) return { broken: as("locked", faults), figures: "not as it was locked" };
  const isServing = await createsCredential({ ...run, root });
  return {
    broken: isServing ? [] : as("locked", ["what is installed without scripts creates no credential"]),
    figures: "installed without scripts, it creates a credential",
  };
}

async function billOf(root: string): Promise<Broken[]> {
  const { status, stdout, stderr } = await npm(root, ["run", "--silent", "sbom"]);
  if (status !== 0) return as("accounted", [`there is no bill of materials: ${stderr.split("\n")[0]}`]);
  return as("accounted", billFaults(readProject(root), JSON.parse(stdout)));
}

async function generatedAnew(root: string): Promise<Broken[]> {
  const before = filesOf(root);
  const { status, stderr } = await npm(root, ["run", "--silent", "generate"]);
  if (status !== 0) return as("reproducible", [`npm run generate fails: ${stderr}`]);
  const after = filesOf(root);
  const names = [...new Set([...before.keys(), ...after.keys()])];
  const changed = names.filter((name) => before.get(name) !== after.get(name));
  return as(
    "reproducible",
    changed.map((name) => `npm run generate makes another ${name}`),
  );
}
