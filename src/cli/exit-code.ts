/**
 * How a command ends: it is done, or the answer is yes; it was refused, or the answer is no; or nobody knows, because the
 * command line was wrong, a file could not be read or written, or what had to be asked did not answer.
 */
export const EXIT = { yes: 0, no: 1, unknown: 2 } as const;

/** How a command ends that somebody has ended, as shells say it of one that was killed: 128 and the signal's number. */
const INTERRUPTED = { SIGINT: 130, SIGTERM: 143 } as const;

/** Somebody has ended the command, whose work may be done all the same. */
export class Interruption extends Error {
  readonly exitCode: number;

  constructor(signal: keyof typeof INTERRUPTED) {
    super(`ended by ${signal}`);
    this.exitCode = INTERRUPTED[signal];
  }

  static readonly signals = Object.keys(INTERRUPTED) as (keyof typeof INTERRUPTED)[];
}

/** What is wrong with the way in which a command was called. It has asked nobody for anything yet. */
export class UsageError extends Error {}
