import { chmodSync, globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { endOrphan } from "../../src/dev/postgres-owner.ts";

/** A folder for all that one run makes, which goes with it, however that ends. */
export interface RunFolder {
  readonly path: string;
  /** Variables by which whatever a process or a tool of its makes for a while is made there. */
  readonly env: Readonly<Record<string, string>>;
  /** Ends the servers of PostgreSQL that were left in it, as those leave them who are interrupted, and removes it. */
  remove(): Promise<void>;
}

export function makeRunFolder(prefix: string): RunFolder {
  const path = mkdtempSync(join(tmpdir(), prefix));
  // Where PostgreSQL runs as another user than root, that user must be able to enter.
  chmodSync(path, 0o755);
  return {
    path,
    env: { TMPDIR: path, TEMP: path, TMP: path },
    async remove() {
      for (const lockFile of globSync("**/postmaster.pid", { cwd: path }))
        await endOrphan(join(path, dirname(lockFile)));
      // A process that is about to end may still write.
      rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
  };
}
