/**
 * Who a data folder belongs to at this moment: one living process, named in a file beside it. Also what to do
 * with a postmaster whose owner was killed and could not stop it.
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { link, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

/** PostgreSQL's own ladder: fast shutdown, immediate shutdown, and what no process survives. */
export const SHUTDOWN = [
  { signal: "SIGINT", patienceMs: 20_000 },
  { signal: "SIGQUIT", patienceMs: 5_000 },
  { signal: "SIGKILL", patienceMs: 5_000 },
] as const;

const POLL_MS = 25;

/**
 * Makes this process the owner named in `ownerFile` and returns what gives the ownership up.
 * Throws when the process named there still lives; one that has died is replaced.
 */
export async function claimOwnership(ownerFile: string): Promise<() => Promise<void>> {
  const mine = `${process.pid} ${await processBirth(process.pid)}\n`;
  const draft = `${ownerFile}.${randomBytes(6).toString("hex")}`;
  await writeFile(draft, mine, { flag: "wx", mode: 0o644 });
  try {
    // A link appears whole or not at all, so nobody ever reads a half-written owner.
    while (!(await linkIfAbsent(draft, ownerFile))) await buryDeadOwner(ownerFile, `${draft}.dead`);
  } finally {
    await rm(draft, { force: true });
  }
  return async () => {
    if ((await readIfPresent(ownerFile)) === mine) await rm(ownerFile, { force: true });
  };
}

/**
 * Stops the postmaster that a dead owner left on `location`. The caller holds the ownership. A process that is
 * not a PostgreSQL server on this folder is never touched. Throws when the server outlives every signal.
 */
export async function endOrphan(location: string): Promise<void> {
  const lockFile = join(location, "postmaster.pid");
  const pid = Number.parseInt((await readIfPresent(lockFile)) ?? "", 10);
  if (!(pid > 0)) return;
  const birth = await processBirth(pid);
  const holder = await holderOf(pid, location);
  // PostgreSQL would take a pid that was given to another program for a running server, and refuse for ever.
  if (holder === "stranger") await rm(lockFile, { force: true });
  if (holder !== "server") return;
  const hasEnded = async () => birth === undefined || (await processBirth(pid)) !== birth;
  for (const { signal, patienceMs } of SHUTDOWN) {
    const patienceEnd = performance.now() + patienceMs;
    sendIfAlive(pid, signal);
    while (performance.now() < patienceEnd) {
      if (await hasEnded()) return;
      await delay(POLL_MS);
    }
  }
  throw new Error(`The PostgreSQL server (pid ${pid}) that a killed run left on ${location} does not end.`);
}

/** What the pid in a lock file stands for; `unclear` leaves the decision to PostgreSQL's own checks. */
type Holder = "server" | "stranger" | "unclear";

async function holderOf(pid: number, location: string): Promise<Holder> {
  if (process.platform === "linux") {
    const command = await readIfPresent(`/proc/${pid}/cmdline`);
    if (command === undefined) return "unclear";
    // A zombie has no command line any more. A postmaster works in its data folder, however that was spelled.
    if (!/postgres|postmaster/.test(command.split("\0", 1)[0] ?? "")) return "stranger";
    const [found, ours] = await Promise.all([
      stat(`/proc/${pid}/cwd`).catch(() => undefined),
      stat(location),
    ]);
    if (found === undefined) return "unclear";
    return found.ino === ours.ino && found.dev === ours.dev ? "server" : "stranger";
  }
  const command = await processField(pid, "command");
  if (command === undefined) return "unclear";
  if (command.includes(`postgres -D ${location} -c `)) return "server";
  return /postgres|postmaster/.test(command) ? "unclear" : "stranger";
}

/**
 * A text that only this life of the process has, since a pid is given away again after its process has ended.
 * Undefined once it has ended, a zombie included.
 */
async function processBirth(pid: number): Promise<string | undefined> {
  if (process.platform === "linux") {
    const stat = await readIfPresent(`/proc/${pid}/stat`);
    // The second field is the program's name and may hold spaces and brackets: count from its end.
    const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (fields === undefined || fields[0] === "Z" || fields[0] === "X") return undefined;
    // Field 22 counts from boot, so the boot belongs to it (proc_pid_stat(5)).
    return `${(await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim()}:${fields[19]}`;
  }
  if (process.platform === "win32") return isAlive(pid) ? "alive" : undefined;
  const state = await processField(pid, "state");
  return state === undefined || state.startsWith("Z") ? undefined : processField(pid, "lstart");
}

/** One column of `ps`; in UTC and C, so that two shells with other settings read the same text. */
async function processField(pid: number, field: string): Promise<string | undefined> {
  if (process.platform === "win32") return undefined;
  try {
    const args = ["-ww", "-o", `${field}=`, "-p", String(pid)];
    const { stdout } = await promisify(execFile)("/bin/ps", args, { env: { TZ: "UTC", LC_ALL: "C" } });
    return stdout.trim();
  } catch {
    return undefined;
  }
}

async function buryDeadOwner(ownerFile: string, grave: string): Promise<void> {
  const found = await readIfPresent(ownerFile);
  if (found === undefined) return;
  const [pid = "", birth] = found.trim().split(" ");
  if (birth !== undefined && (await processBirth(Number(pid))) === birth) {
    throw new Error(
      `Another Keyturn (pid ${pid}) uses this folder (${ownerFile}); stop it, or choose another folder.`,
    );
  }
  try {
    await rename(ownerFile, grave);
  } catch (err) {
    if (isErrno(err, "ENOENT")) return;
    throw err;
  }
  // Two may have found the same dead owner. The slower one has just moved the quicker one's name: put it back.
  if ((await readFile(grave, "utf8")) !== found) await linkIfAbsent(grave, ownerFile);
  await rm(grave, { force: true });
}

async function linkIfAbsent(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (err) {
    if (isErrno(err, "EEXIST")) return false;
    throw err;
  }
}

async function readIfPresent(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (err) {
    // ESRCH: the process ended between the opening and the reading of its /proc file.
    if (isErrno(err, "ENOENT", "ESRCH")) return undefined;
    throw err;
  }
}

function sendIfAlive(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch (err) {
    if (isErrno(err, "ESRCH")) return false;
    throw err;
  }
}

function isAlive(pid: number): boolean {
  try {
    return sendIfAlive(pid, 0);
  } catch {
    // EPERM: it lives, and belongs to somebody else.
    return true;
  }
}

/** Whether `err` is a system error with one of these codes. */
export function isErrno(err: unknown, ...codes: string[]): boolean {
  return err instanceof Error && codes.includes((err as NodeJS.ErrnoException).code ?? "");
}
