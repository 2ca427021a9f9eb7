import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { readMigrationFiles } from "drizzle-orm/migrator";
import { lendPackages } from "./checkout.ts";

/** The sources of the release before: of the last commit that did not know the newest migration. */
export interface PreviousSources extends Disposable {
  readonly root: string;
  readonly commit: string;
}

const MIGRATIONS = "src/storage/migrations";

const git = (...args: string[]): string =>
  execFileSync("git", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();

/** Why those sources cannot be had, or not be run on the packages that are installed here; undefined where they can. */
export function lacksPreviousSources(): string | undefined {
  try {
    if (git("rev-parse", "--is-shallow-repository") === "true") return "the clone is shallow: no history";
    const { dependencies } = JSON.parse(git("show", `${previousCommit()}:package.json`));
    const other = Object.entries<string>(dependencies).filter(
      ([name, version]) => installed(name) !== version,
    );
    if (other.length > 0) return `needs ${other.map(([name, version]) => `${name} ${version}`).join(", ")}`;
  } catch {
    return "needs the history of git";
  }
  return undefined;
}

/** Checks them out into a folder of their own, gone with the block, beside the packages that are installed here. */
export function checkOutPreviousSources(): PreviousSources {
  const commit = previousCommit();
  const root = mkdtempSync(join(tmpdir(), "keyturn-previous-"));
  const archive = join(root, "sources.tar");
  git("archive", "--format=tar", `--output=${archive}`, commit);
  execFileSync("tar", ["-xf", archive, "-C", root]);
  rmSync(archive);
  lendPackages(root);
  return { root, commit, [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }) };
}

/** How many migrations the sources in this folder know. */
export const migrationsOf = (root: string): number =>
  readMigrationFiles({ migrationsFolder: join(root, MIGRATIONS) }).length;

/** The parent of the commit that brought the newest migration; the last commit where it is not in one yet. */
function previousCommit(): string {
  const { entries } = JSON.parse(readFileSync(join(MIGRATIONS, "meta/_journal.json"), "utf8"));
  const newest = `${MIGRATIONS}/${basename(entries.at(-1).tag)}.sql`;
  const added = git("log", "--diff-filter=A", "--format=%h", "--reverse", "--", newest).split("\n", 1)[0];
  return git("rev-parse", "--short", added === "" ? "HEAD" : `${added}^`);
}

function installed(name: string): string | undefined {
  try {
    return JSON.parse(readFileSync(join("node_modules", name, "package.json"), "utf8")).version;
  } catch {
    return undefined;
  }
}
