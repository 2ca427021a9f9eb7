import { writeFileSync } from "node:fs";

/** Which kinds of memory the kernel writes into a core file of this process and of its children; core(5). */
const FILTER = "/proc/self/coredump_filter";
const NOTHING = "0";

/**
 * Has a core file of this process hold registers and nothing of its memory, in which are the root key, secrets that nobody
 * has yet and what is in flight. Unlike a limit of zero bytes it holds as well where the kernel pipes core files to a program.
 * Only Linux can do that; where /proc is closed, the limit has to do.
 */
export function keepMemoryOutOfCoreFiles(): void {
  try {
    writeFileSync(FILTER, NOTHING);
  } catch {
    // It is an advantage, and no condition.
  }
}
