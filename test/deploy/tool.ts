import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/**
 * What looks at the files under `deploy/`: none of it comes from npm. `.ci/tools` installs what this machine can have.
 * @returns its path, or undefined where there is none.
 */
export function toolNamed(name: string): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return [...folders, "/usr/sbin"].map((folder) => join(folder, name)).find(isExecutable);
}

/** For the options of a test that needs a tool: why it is skipped, or that it is not. */
export const skipWithout = (...names: readonly string[]): string | false => {
  const missing = names.filter((name) => toolNamed(name) === undefined);
  return missing.length > 0 && `no ${missing.join(", no ")} on this machine: .ci/tools installs it`;
};

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
