/**
 * Builds argon2 from the sources that its package brings, for this machine's own instruction set, and puts it where the package
 * looks first: node_modules/argon2/build/Release. The next `npm ci` removes it, and the package's own build is back (docs/adr/0023).
 *
 * `npm run build:argon2`; `-- --march x86-64-v3` for machines of a kind instead of this one. $CC and $CXX name the compilers, cc and
 * c++ unless set. Exit code: 0 it runs from now on, 1 it could not be built or is wrong and nothing has changed, 2 there is no compiler.
 */
import { mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { compileArgon2, missingForArgon2 } from "./argon2/compile.ts";
import { folderOfArgon2, hashesOf } from "./argon2/hashes.ts";

const EXIT = { built: 0, failed: 1, noCompiler: 2 } as const;

function build(march: string): number {
  const missing = missingForArgon2();
  if (missing !== undefined) {
    process.stderr.write(`${missing}; the package's own build goes on to run\n`);
    return EXIT.noCompiler;
  }
  const home = join(folderOfArgon2, "build");
  mkdirSync(home, { recursive: true });
  // On the same file system, so that it comes into its place all at once.
  const folder = mkdtempSync(join(home, "making-"));
  try {
    const binary = compileArgon2(folder, march);
    const [expected, found] = [hashesOf({ PREBUILDS_ONLY: "1" }), hashesOf({ ARGON2_PREBUILD: folder })];
    if (JSON.stringify(found.hashes) !== JSON.stringify(expected.hashes))
      throw new Error("it does not make the strings that the package's own build makes");
    mkdirSync(join(home, "Release"), { recursive: true });
    renameSync(binary, join(home, "Release", "argon2.node"));
    const [was, is] = [expected, found].map(({ msOfHash }) => `${msOfHash.toFixed(1)} ms`);
    process.stdout.write(
      `argon2 is built for ${march}: the same strings, ${is} of processor a hash instead of ${was}\n`,
    );
    return EXIT.built;
  } catch (err) {
    const reason = err instanceof Error ? err.message : String(err);
    process.stderr.write(`argon2 was not built: ${reason}; what ran before goes on to run\n`);
    return EXIT.failed;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const { values } = parseArgs({ options: { march: { type: "string", default: "native" } } });
process.exitCode = build(values.march);
