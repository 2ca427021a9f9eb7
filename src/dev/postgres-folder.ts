/**
 * Where the embedded database keeps its data, under which user of the system it runs, and how that folder is
 * first filled.
 */
import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  chmod,
  chown,
  mkdir,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  rmdir,
  stat,
  writeFile,
} from "node:fs/promises";
import { basename, dirname, join, parse, resolve } from "node:path";
import { promisify } from "node:util";
import type { PostgresBinaries } from "./postgres-binaries.ts";
import { isErrno } from "./postgres-owner.ts";

/** The user that runs the server. Undefined wherever it appears means: the one who runs this process. */
export interface ServerAccount {
  readonly uid: number;
  readonly gid: number;
}

export interface PostgresFolder {
  /** Absolute, symbolic links resolved. */
  readonly location: string;
  readonly account: ServerAccount | undefined;
  /** A file beside the data: `postgres` and "log" give `postgres.log`. */
  sidecar(name: string): string;
}

/** What root's servers may reach although the checkout is closed to their user. Made by root, open to read. */
export const SHARED_DIR = "/var/lib/keyturn-dev";

/**
 * Decides where the data of `dataDir` are. That is `dataDir`, unless this is root and the user that must run
 * the server cannot get there: then a folder under `SHARED_DIR`, and a note beside `dataDir` that says so.
 */
export async function placePostgresFolder(dataDir: string): Promise<PostgresFolder> {
  const asked = resolve(dataDir);
  await mkdir(dirname(asked), { recursive: true });
  const wanted = join(await realpath(dirname(asked)), basename(asked));
  const account = await unprivilegedAccount();
  if (account === undefined || (await isEnterable(dirname(wanted), account)))
    return folderAt(wanted, account);

  const home = join(SHARED_DIR, createHash("sha256").update(wanted).digest("hex").slice(0, 16));
  await makeOpenFolder(SHARED_DIR);
  await makeOpenFolder(home);
  const folder = await folderAt(join(home, basename(wanted)), account);
  const note = `PostgreSQL does not run as root, and its user cannot enter this folder. Its data are in ${folder.location}\n`;
  await writeFile(`${wanted}.moved.txt`, note);
  return folder;
}

/** Fills the folder unless it is filled already. The caller holds the ownership. Returns the superuser's password. */
export async function preparePostgresFolder(
  folder: PostgresFolder,
  binaries: PostgresBinaries,
): Promise<string> {
  await removeUnfinished(folder);
  const state = await folderState(folder.location);
  if (state === "filled") return readPassword(folder);
  if (state === "foreign")
    throw new Error(`${folder.location} holds files that are not a PostgreSQL database.`);
  const password = randomBytes(24).toString("base64url");
  const draft = folder.sidecar(`initdb-${randomBytes(6).toString("hex")}`);
  await mkdir(draft, { mode: 0o700 });
  await giveTo(folder.account, draft);
  await initdb(folder, binaries, { draft, password });
  await writeFile(folder.sidecar("password"), password, { mode: 0o600 });
  if (state === "empty") await rmdir(folder.location);
  // The folder has its name only once it is complete, so a start that was killed half way is simply done again.
  await rename(draft, folder.location);
  return password;
}

/** Runs a program to its end as the server's user, with nothing of our environment. Rejects unless it exits with 0. */
export async function runAs(
  account: ServerAccount | undefined,
  program: string,
  args: string[],
): Promise<void> {
  // Our own working directory may be closed to that user; the root of the file system is not.
  const options = { ...account, env: { LC_ALL: "C" }, cwd: parse(program).root, windowsHide: true };
  await promisify(execFile)(program, args, options);
}

/** Creates a folder that everyone may enter, whatever the umask. One that exists is left as it is. */
export async function makeOpenFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
    await chmod(path, 0o755);
  } catch (err) {
    if (!isErrno(err, "EEXIST")) throw err;
  }
}

async function initdb(
  folder: PostgresFolder,
  binaries: PostgresBinaries,
  { draft, password }: { draft: string; password: string },
): Promise<void> {
  const passwordFile = folder.sidecar("initdb-password");
  await writeFile(passwordFile, password, { flag: "wx", mode: 0o600 });
  try {
    await giveTo(folder.account, passwordFile);
    await runAs(folder.account, binaries.initdb, [
      `--pgdata=${draft}`,
      "--username=postgres",
      `--pwfile=${passwordFile}`,
      "--auth=scram-sha-256",
      "--encoding=UTF8",
      "--locale=C",
      "--data-checksums",
      "--no-instructions",
    ]);
  } catch (err) {
    await rm(draft, { recursive: true, force: true });
    const { stderr, message } = err as Error & { stderr?: string };
    const reason = (stderr || message).split("\n", 1)[0];
    throw new Error(`PostgreSQL's data folder ${folder.location} could not be made: ${reason}`, {
      cause: err,
    });
  } finally {
    await rm(passwordFile, { force: true });
  }
}

/** Clears what an earlier start left when it was killed: the half-filled folder and the password given to initdb. */
async function removeUnfinished(folder: PostgresFolder): Promise<void> {
  const prefix = basename(folder.sidecar("initdb-"));
  for (const name of await readdir(dirname(folder.location))) {
    if (!name.startsWith(prefix)) continue;
    // The killed start's initdb may still be writing for a moment; it ends once its files are gone.
    const options = { recursive: true, force: true, maxRetries: 10, retryDelay: 50 };
    await rm(join(dirname(folder.location), name), options);
  }
}

async function folderState(location: string): Promise<"absent" | "empty" | "filled" | "foreign"> {
  try {
    const names = await readdir(location);
    if (names.length === 0) return "empty";
    return names.includes("PG_VERSION") ? "filled" : "foreign";
  } catch (err) {
    if (isErrno(err, "ENOENT")) return "absent";
    throw err;
  }
}

async function readPassword(folder: PostgresFolder): Promise<string> {
  const file = folder.sidecar("password");
  try {
    return await readFile(file, "utf8");
  } catch (err) {
    const advice = `restore it, or remove ${folder.location} to start with an empty database`;
    throw new Error(`The database's password file ${file} cannot be read; ${advice}.`, { cause: err });
  }
}

async function folderAt(location: string, account: ServerAccount | undefined): Promise<PostgresFolder> {
  const sidecar = (name: string) => `${location}.${name}`;
  // PostgreSQL insists on owning its data, so root lets whoever made the data run the server.
  const owner = account && (await stat(location).catch(() => undefined));
  const keepsOwner = owner !== undefined && owner.uid !== 0;
  return { location, account: keepsOwner ? { uid: owner.uid, gid: owner.gid } : account, sidecar };
}

/** PostgreSQL refuses to run as root: `postgres` runs it then, else `nobody`, else the number most systems give to nobody. */
async function unprivilegedAccount(): Promise<ServerAccount | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const passwd = await readFile("/etc/passwd", "utf8").catch(() => "");
  for (const user of ["postgres", "nobody"]) {
    const [, uid, gid] = new RegExp(`^${user}:[^:]*:(\\d+):(\\d+):`, "m").exec(passwd) ?? [];
    if (Number(uid) > 0) return { uid: Number(uid), gid: Number(gid) };
  }
  return { uid: 65534, gid: 65534 };
}

async function isEnterable(dir: string, { uid, gid }: ServerAccount): Promise<boolean> {
  const { mode, uid: owner, gid: group } = await stat(dir);
  const search = owner === uid ? 0o100 : group === gid ? 0o010 : 0o001;
  if ((mode & search) === 0) return false;
  return dir === dirname(dir) || isEnterable(dirname(dir), { uid, gid });
}

async function giveTo(account: ServerAccount | undefined, path: string): Promise<void> {
  if (account !== undefined) await chown(path, account.uid, account.gid);
}
