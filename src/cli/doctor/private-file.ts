import { statSync } from "node:fs";
import { type Finding, wrong } from "./finding.ts";

const READ_BY_OTHERS = 0o004;
const WRITTEN_BY_OTHERS = 0o022;

/** Who else can read or write a file that is to be kept as a password is. `check` begins the names of both findings. */
export function privateFileFindings(check: string, where: string, file: string): Finding[] {
  const mode = modeOf(file);
  // What cannot be read at all is a mistake of the configuration, and named there.
  if (mode === undefined) return [];
  const todo = "chmod 600, or 440 with a group of the servers' own";
  const finding = (suffix: string, what: string) =>
    wrong(`${check}_${suffix}`, where, `${what} (mode ${mode.toString(8)})`, todo);
  return [
    ...(mode & READ_BY_OTHERS ? [finding("readable", "everybody on this machine can read it")] : []),
    ...(mode & WRITTEN_BY_OTHERS ? [finding("writable", "others than its owner can write it")] : []),
  ];
}

/** Undefined where there is no file, or its folder is closed to us. */
function modeOf(file: string): number | undefined {
  try {
    const stat = statSync(file);
    return stat.isDirectory() ? undefined : stat.mode & 0o777;
  } catch {
    return undefined;
  }
}
