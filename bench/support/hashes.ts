import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Bench } from "./bench.ts";
import type { Contender, LoadResult } from "./turns.ts";

/** As in a server (bin/keyturn.mjs), a hash takes the memory of the one before. */
const AS_A_SERVER = { MALLOC_ARENA_MAX: "1" };

/** Hashes and nothing else, in a process of its own, by the build of argon2 that the environment names. */
export async function startHashes(
  bench: Bench,
  name: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Contender> {
  const child = spawn(process.execPath, ["bench/hash-process.ts"], {
    env: { ...process.env, ...AS_A_SERVER, ...env },
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
