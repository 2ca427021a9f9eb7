import { readdir, readFile } from "node:fs/promises";
import { constants, setPriority } from "node:os";

const THREADS = "/proc/self/task";
/** Of libuv's threads, which argon2 works in. */
const NAME = "libuv-worker";

/**
 * Lets the event loop go before argon2 where both want a core: a known secret must not wait for the hashes of others
 * (docs/adr/0004). Only Linux has priorities of single threads; elsewhere, and where it is forbidden, all stays as it is.
 */
export async function lowerHashPriority(): Promise<void> {
  // This very question goes to those threads, so that they are all there by its answer.
  const ids = await readdir(THREADS).catch(() => []);
  for (const id of ids) {
    const name = await readFile(`${THREADS}/${id}/comm`, "utf8").catch(() => "");
    if (name.trimEnd() === NAME) lower(Number(id));
  }
}

function lower(threadId: number): void {
  try {
    setPriority(threadId, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // It is an advantage, and no condition.
  }
}
