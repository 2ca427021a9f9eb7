import { execFileSync } from "node:child_process";
import { globSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { ServerProcess } from "../../test/support/process.ts";

/** Of a server whose memory stays out of it. Registers take some hundred bytes a thread. */
export const CORE_BYTES_MAX = 2 ** 20;
/** Were all of a server's memory in it, a disk might be too small. */
const LIMIT_BYTES = 64 * 2 ** 20;

/** A core file, as much of it as has to be looked at. */
export interface CoreFile {
  readonly bytes: number;
  /** Empty where there is too much of it. */
  readonly text: string;
}

/**
 * Ends a server so that the kernel writes its core file into the folder that the server runs in, and takes that away.
 * Undefined where the kernel gives core files to somebody else (core(5)); the server goes on then.
 */
export async function coreOf({ pid, exited }: ServerProcess, folder: string): Promise<CoreFile | undefined> {
  if (process.platform !== "linux") return undefined;
  if (/^[|]|[/]/.test(readFileSync("/proc/sys/kernel/core_pattern", "utf8"))) return undefined;
  try {
    execFileSync("prlimit", ["--pid", String(pid), `--core=${LIMIT_BYTES}:`], { stdio: "ignore" });
  } catch {
    return undefined;
  }
  process.kill(pid, "SIGABRT");
  await exited;
  const [file] = globSync(join(folder, "core*")).filter((path) => statSync(path).isFile());
  if (file === undefined) return undefined;
  const bytes = statSync(file).size;
  const text = bytes > CORE_BYTES_MAX ? "" : readFileSync(file, "latin1");
  rmSync(file);
  return { bytes, text };
}
