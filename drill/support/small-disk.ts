import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isErrno } from "../../src/dev/postgres-owner.ts";

/** A file system of its own, small enough to be filled. It goes with its block, or with the process. */
export interface SmallDisk extends Disposable {
  readonly path: string;
  /** Takes all the room that is left. */
  fill(): void;
  /** Gives back what `fill` has taken. */
  free(): void;
}

/** The last of them as small as a page: whoever writes one must not find room. */
const PIECES = [1024 * 1024, 4096].map((size) => Buffer.alloc(size));

/** @throws where this user may mount nothing, and where the system is not Linux. */
export function mountSmallDisk(mebibytes: number): SmallDisk {
  const path = mkdtempSync(join(tmpdir(), "keyturn-disk-"));
  const ballast = join(path, "ballast");
  try {
    const options = ["-t", "tmpfs", "-o", `size=${mebibytes}m,mode=755`, "keyturn-drill", path];
    execFileSync("mount", options, { stdio: "pipe" });
  } catch (err) {
    rmdirSync(path);
    throw err;
  }
  const free = () => rmSync(ballast, { force: true });
  const unmount = () => {
    free();
    // Also while somebody is still at work on it.
    execFileSync("umount", ["--lazy", path]);
    rmdirSync(path);
  };
  process.once("exit", unmount);
  return {
    path,
    fill() {
      const file = openSync(ballast, "a");
      for (const piece of PIECES) while (hasRoomFor(file, piece));
      closeSync(file);
    },
    free,
    [Symbol.dispose]() {
      process.off("exit", unmount);
      unmount();
    },
  };
}

/** Why no small disk can be had here; undefined where it can. */
export function noSmallDisk(): string | undefined {
  if (process.platform !== "linux") return "needs tmpfs, which is Linux's";
  try {
    mountSmallDisk(1)[Symbol.dispose]();
    return undefined;
  } catch {
    return "needs the right to mount a file system";
  }
}

function hasRoomFor(file: number, piece: Buffer): boolean {
  try {
    return writeSync(file, piece) > 0;
  } catch (err) {
    if (isErrno(err, "ENOSPC")) return false;
    throw err;
  }
}
