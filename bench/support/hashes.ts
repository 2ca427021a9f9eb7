import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Bench } from "./bench.ts";
import type { Contender, LoadResult } from "./turns.ts";

/** A hash takes the memory of the one before. */
const ONE_ARENA = { MALLOC_ARENA_MAX: "1" };
/** The memory settings of a server (bin/keyturn.mjs). */
export const AS_A_SERVER = {
  MALLOC_MMAP_THRESHOLD_: "33554432",
  MALLOC_TRIM_THRESHOLD_: "31457280",
  GLIBC_TUNABLES: "glibc.malloc.hugetlb=1",
};

/**
 * Hashes and nothing else, in a process of its own, by the build of argon2 that the environment names; in small pages, if it says
 * nothing else.
 */
export async function startHashes(
  bench: Bench,
  name: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Contender> {
  const child = spawn(process.execPath, ["bench/hash-process.ts"], {
    env: { ...process.env, ...ONE_ARENA, ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  bench.later(() => child.stdin.end());
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const nextLine = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${name}: the process that hashes has ended`);
    return value;
  };
  await nextLine();
  return {
    name,
    serverPid: child.pid as number,
    async run(durationMs) {
      child.stdin.write(`${durationMs}\n`);
      return JSON.parse(await nextLine()) as LoadResult;
    },
  };
}
