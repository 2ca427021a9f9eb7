import { fstatSync, statSync, writeSync } from "node:fs";
import { devNull } from "node:os";

/** What a command had to print did not come out, or not all of it. */
export class OutputError extends Error {
  /** Of the system, such as `ENOSPC`, or `EPIPE` where the reader has gone. */
  readonly code: string;

  constructor(code: string) {
    super(`the output could not be written (${code})`);
    this.code = code;
  }

  /** Whether somebody was reading, and has gone: he may have seen enough, as head(1) has. */
  get isReaderGone(): boolean {
    return this.code === "EPIPE";
  }
}

/**
 * Returns once the system has all of the text. A stream would tell of a failure later, when the command has long decided
 * how it ends. @throws OutputError
 */
export function writeWhole(descriptor: number, text: string): void {
  let left = Buffer.from(text);
  while (left.length > 0) {
    try {
      left = left.subarray(writeSync(descriptor, left));
    } catch (err) {
      const { code = "?" } = err as NodeJS.ErrnoException;
      if (code !== "EAGAIN") throw new OutputError(code);
      // A pipe that somebody has made non-blocking, and whose reader is slower than we are.
      Atomics.wait(SLEEPER, 0, 0, RETRY_MS);
    }
  }
}

const SLEEPER = new Int32Array(new SharedArrayBuffer(4));
const RETRY_MS = 5;

/** Whether nobody will ever read what is written there. What was closed is the null device too: Node opens that in its place. */
export function isDiscarded(descriptor: number): boolean {
  try {
    const file = fstatSync(descriptor);
    return file.isCharacterDevice() && file.rdev === statSync(devNull).rdev;
  } catch {
    return false;
  }
}
