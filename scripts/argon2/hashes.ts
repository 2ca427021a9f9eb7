import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

/** Of the installed package. */
export const folderOfArgon2 = dirname(createRequire(import.meta.url).resolve("argon2/package.json"));

export interface Hashes {
  /** Hexadecimal, of every way that the library hashes and of several lengths. */
  readonly hashes: readonly string[];
  /** Processor time for one at the cost that the server has. */
  readonly msOfHash: number;
}

/**
 * What one build of the library makes, in a process of its own: a build may end it, where it is of instructions that this machine has not.
 * @param env ARGON2_PREBUILD for the folder of a build, PREBUILDS_ONLY for the package's own
 * @throws Error when that process ends without an answer
 */
export function hashesOf(env: Readonly<Record<string, string>>): Hashes {
  const program = fileURLToPath(new URL("print-hashes.ts", import.meta.url));
  const { ARGON2_PREBUILD: _, PREBUILDS_ONLY: __, ...rest } = process.env;
  const { stdout, status, signal } = spawnSync(process.execPath, [program], {
    env: { ...rest, ...env },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) throw new Error(`it ended with ${signal ?? status} as it hashed`);
  return JSON.parse(stdout) as Hashes;
}
