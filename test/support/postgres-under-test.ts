import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";

const VARIABLE = "KEYTURN_TEST_POSTGRES";

/**
 * The PostgreSQL that the tests run on: the packaged one, or the installation that `KEYTURN_TEST_POSTGRES` names, a
 * folder with `bin/` in it. `folder` is where the link to that is kept, in the layout of the package.
 */
export function postgresUnderTest(folder: string): { packageDir?: string } {
  const installation = process.env[VARIABLE];
  if (installation === undefined) return {};
  const packageDir = join(folder, "package");
  mkdirSync(packageDir, { recursive: true });
  symlinkSync(installation, join(packageDir, "native"));
  return { packageDir };
}
