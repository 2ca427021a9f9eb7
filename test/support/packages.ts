import { readFileSync } from "node:fs";
import { join } from "node:path";
import { KNOWN_FAULTS } from "./known-faults.ts";

type Versions = Readonly<Record<string, string>>;

/** An entry of a lockfile, https://docs.npmjs.com/cli/v11/configuring-npm/package-lock-json. */
interface Locked {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly link?: boolean;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly hasInstallScript?: boolean;
  readonly optionalDependencies?: Versions;
}

/** A folder in which `npm ci` installs packages. */
export interface Project {
  readonly manifest: {
    readonly dependencies: Versions;
    readonly devDependencies?: Versions;
    readonly optionalDependencies?: Versions;
    readonly allowScripts?: Readonly<Record<string, boolean>>;
  };
  /** By where they are installed, without the folder itself. */
  readonly locked: ReadonlyMap<string, Locked>;
}

/** The product, and what the benchmarks compare it with. */
export const PROJECTS = [".", "bench/peers"];

const DIRECT_DEPENDENCIES_MAX = 18;

export function readProject(folder: string): Project {
  const read = (file: string) => JSON.parse(readFileSync(join(folder, file), "utf8"));
  const packages = Object.entries<Locked>(read("package-lock.json").packages);
  return {
    manifest: read("package.json"),
    locked: new Map(packages.filter(([path]) => path !== "")),
  };
}

const nameOf = (path: string): string => path.replace(/^.*node_modules\//, "");

/** What is wanted in any of several versions, or from elsewhere than a registry. */
export function looseVersions({ manifest }: Project): string[] {
  const all = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };
  return Object.entries(all)
    .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
    .map(([name, version]) => `${name} is wanted as ${version}`);
}

/**
 * What somebody could exchange: a package without a hash, or one from git, a folder or a URL. By `.npmrc` npm says where a
 * package comes from only if that is not the registry it is told of.
 */
export function unpinned({ locked }: Project): string[] {
  return [...locked].flatMap(([path, { integrity, resolved, link }]) => [
    ...(integrity?.startsWith("sha512-") ? [] : [`${path} has no hash`]),
    ...(resolved === undefined && link !== true ? [] : [`${path} comes from ${resolved}`]),
  ]);
}

/** A platform's package that the registry lacked when the lockfile was written makes `npm ci` fail everywhere. */
export function absentOptionals({ locked }: Project): string[] {
  const names = new Set([...locked.keys()].map(nameOf));
  return [...locked.values()]
    .flatMap(({ optionalDependencies = {} }) => Object.keys(optionalDependencies))
    .filter((name) => !names.has(name))
    .map((name) => `${name} is optional and not in the lockfile`);
}

/** Packages with a script for their installation to which `allowScripts` does not say no. */
export function scriptsNotDenied({ manifest, locked }: Project): string[] {
  return [...locked]
    .filter(([path, entry]) => entry.hasInstallScript && manifest.allowScripts?.[nameOf(path)] !== false)
    .map(([path]) => `${path} has a script for its installation that is not denied`);
}

/** Packages that are older than the version that mended a fault we know. */
export function faultyVersions({ locked }: Project): string[] {
  return KNOWN_FAULTS.flatMap(({ name, mendedIn, fault }) =>
    [...locked]
      .filter(([path, { version = "" }]) => nameOf(path) === name && compare(version, mendedIn) < 0)
      .map(([path, { version }]) => `${path} ${version} is older than ${mendedIn}: ${fault}`),
  );
}

/** Rows of the table of known faults for packages that are not installed any more. */
export function idleFaults({ locked }: Project): string[] {
  const names = new Set([...locked.keys()].map(nameOf));
  return KNOWN_FAULTS.map(({ name }) => name).filter((name) => !names.has(name));
}

/** What is beyond the budget of packages, or not in the record of why we take which (docs/adr/0008). */
export function unexplained({ manifest }: Project, record: string): string[] {
  const { dependencies, devDependencies, optionalDependencies } = manifest;
  const count = Object.keys(dependencies).length;
  const tooMany = `${count} packages are depended on directly, and ${DIRECT_DEPENDENCIES_MAX} may be`;
  const taken = record.slice(0, record.indexOf("**Not taken.**"));
  const named = [...taken.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name);
  const isNamed = (name: string) =>
    named.some((known) => known === name || (known.endsWith("*") && name.startsWith(known.slice(0, -1))));
  return [
    ...(count > DIRECT_DEPENDENCIES_MAX ? [tooMany] : []),
    ...Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies })
      .filter((name) => !isNamed(name))
      .map((name) => `nothing says why we take ${name}`),
  ];
}

/** How a CycloneDX bill of materials differs from the packages of the image. */
export function billFaults(
  { locked }: Project,
  bill: { readonly components: readonly { readonly purl: string }[] },
): string[] {
  const inImage = new Set(
    [...locked]
      .filter(([, { dev, optional }]) => dev !== true && optional !== true)
      .map(([path, { version }]) => `${nameOf(path)}@${version}`),
  );
  const inBill = new Set(
    bill.components.map(({ purl }) => decodeURIComponent(purl.slice("pkg:npm/".length))),
  );
  return [
    ...[...inImage].filter((name) => !inBill.has(name)).map((name) => `${name} is not on the bill`),
    ...[...inBill].filter((name) => !inImage.has(name)).map((name) => `${name} is on the bill only`),
  ];
}

function compare(left: string, right: string): number {
  const numbers = (version: string) => version.split(/[.-]/).slice(0, 3).map(Number);
  const [a, b] = [numbers(left), numbers(right)];
  return a.map((value, index) => value - (b[index] ?? 0)).find((difference) => difference !== 0) ?? 0;
}
