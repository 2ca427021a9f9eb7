import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileArgon2, missingForArgon2 } from "../../scripts/argon2/compile.ts";
import { startHashes } from "../support/hashes.ts";
import type { Target } from "../support/target.ts";
import { RATE, ratioRow } from "../support/turns.ts";

const HUGE_PAGES = { GLIBC_TUNABLES: "glibc.malloc.hugetlb=1" };

/** The build of argon2 that `npm run build:argon2` makes against the one that npm brings. */
export const target: Target = {
  number: 4,
  title: "hashes a second, argon2id 19 MiB, two passes",
  quick: false,
  skip: missingForArgon2,
  async run(bench) {
    const folder = mkdtempSync(join(tmpdir(), "keyturn-argon2-"));
    bench.later(() => rmSync(folder, { recursive: true, force: true }));
    compileArgon2(folder, "native");
    const built = { ARGON2_PREBUILD: folder };
    const own = { PREBUILDS_ONLY: "1" };
    const rounds = await bench.takeTurns({
      built: await startHashes(bench, "built here", built),
      own: await startHashes(bench, "the package's own", own),
      builtHuge: await startHashes(bench, "built here, huge pages", { ...built, ...HUGE_PAGES }),
      ownHuge: await startHashes(bench, "the package's own, huge pages", { ...own, ...HUGE_PAGES }),
    });
    const against = "the npm package's own build";
    return [
      ratioRow(RATE, [rounds.built, rounds.own], {
        what: "argon2 built for the machine",
        against,
        bound: { atLeast: 1.8 },
      }),
      ratioRow(RATE, [rounds.builtHuge, rounds.own], {
        what: "the same, with huge pages for its memory",
        against,
      }),
      ratioRow(RATE, [rounds.ownHuge, rounds.own], {
        what: "the package's own build, with huge pages",
        against,
      }),
    ];
  },
};
