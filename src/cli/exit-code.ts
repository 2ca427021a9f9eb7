/**
 * How a command ends: it is done, or the answer is yes; it was refused, or the answer is no; or nobody knows, because the
 * command line was wrong, a file could not be read or written, or what had to be asked did not answer.
 */
export const EXIT = { yes: 0, no: 1, unknown: 2 } as const;

/** What is wrong with the way in which a command was called. It has asked nobody for anything yet. */
export class UsageError extends Error {}
