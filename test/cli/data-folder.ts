import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Scope } from "./keyturn-command.ts";

/** An empty data folder. Afterwards the database that a failed test may have left in it is ended, and it is removed. */
export async function givenDataDir(scope: Scope): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), "keyturn-data-"));
  // Where PostgreSQL runs as another user than root, that user must be able to enter.
  await chmod(dataDir, 0o755);
  scope.after(async () => {
    const database = await databaseOf(dataDir);
    if (database !== undefined && isRunning(database.pid)) process.kill(database.pid, "SIGQUIT");
    await rm(dataDir, { recursive: true, maxRetries: 10 });
  });
  return dataDir;
}

/**
 * What a data folder holds, sorted. Not the database's programs, which are copied there where its user cannot enter
 * the checkout.
 */
export function filesIn(dataDir: string): string[] {
  return readdirSync(dataDir)
    .filter((name) => name !== "binaries")
    .sort();
}

/** The embedded database that runs, or was killed, on a data folder. */
export async function databaseOf(dataDir: string): Promise<{ pid: number; port: number } | undefined> {
  const text = await readFile(join(dataDir, "postgres", "postmaster.pid"), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const lines = text.split("\n");
  return { pid: Number(lines[0]), port: Number(lines[3]) };
}

/** Whether the process lives. One that has ended and that nobody has collected yet does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const stat = `/proc/${pid}/stat`;
  return !existsSync(stat) || !/\) Z /.test(readFileSync(stat, "utf8"));
}

/** Whether something accepts connections at `host:port`. */
export async function accepts(address: string): Promise<boolean> {
  const [host = "", port] = address.split(":");
  const socket = connect({ host, port: Number(port) });
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
