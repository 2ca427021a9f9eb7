import { loadedArgon2 } from "../../auth/argon2-build.ts";
import { type Finding, ok } from "./finding.ts";

/** Which build of argon2 a server of this installation would run. Either is right; one is faster. */
export const examineArgon2 = (): Finding =>
  loadedArgon2() === "built_here"
    ? ok("argon2", "argon2", "is built for this machine")
    : ok(
        "argon2",
        "argon2",
        "is the package's own build; one for this machine is faster: npm run build:argon2",
      );
