import "argon2";
import { createRequire } from "node:module";
import { sep } from "node:path";

/** Made on this machine by `npm run build:argon2`, or brought along by the package. */
export type Argon2Build = "built_here" | "prebuilt";

/** Which build of argon2 this process has loaded, by the files that Node has open as modules (docs/adr/0023). */
export function loadedArgon2(): Argon2Build {
  const files = Object.keys(createRequire(import.meta.url).cache).filter((file) => file.endsWith(".node"));
  const isPrebuilt = files.some((file) => file.includes(`${sep}argon2${sep}prebuilds${sep}`));
  return isPrebuilt ? "prebuilt" : "built_here";
}
