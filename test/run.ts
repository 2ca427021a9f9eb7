/**
 * Runs the tests with one real PostgreSQL for all of them, started for this run and gone after it: `npm test`, or
 * `npm test -- test/door/rest.test.ts` for some. Every test file makes databases of its own from one template.
 */
import { spawn } from "node:child_process";
import { chmodSync, globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogins } from "../src/dev/development-database.ts";
import { startEmbeddedPostgres } from "../src/dev/embedded-postgres.ts";
import { migrate } from "../src/storage/migrate.ts";
import { postgresUnderTest } from "./support/postgres-under-test.ts";

const TEMPLATE = "keyturn_template";

async function main(): Promise<number> {
  const asked = process.argv.slice(2);
  const files = asked.length > 0 ? asked : globSync("test/**/*.test.ts").sort();
  const folder = mkdtempSync(join(tmpdir(), "keyturn-test-"));
  // Where PostgreSQL runs as another user than root, that user must be able to enter.
  chmodSync(folder, 0o755);
  const postgres = await startEmbeddedPostgres({
    ...postgresUnderTest(folder),
    dataDir: join(folder, "postgres"),
    settings: { max_connections: "400", log_min_duration_statement: "0", log_statement: "all" },
  });
  try {
    const { ownerUrl, serverUrl } = await createLogins(postgres, TEMPLATE);
    await migrate(ownerUrl);
    return await runNode(files, {
      ...process.env,
      KEYTURN_TEST_OWNER_URL: ownerUrl,
      KEYTURN_TEST_SERVER_URL: serverUrl,
      KEYTURN_TEST_SUPERUSER_URL: postgres.url({ ...postgres.superuser, database: "postgres" }),
    });
  } finally {
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function runNode(files: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const child = spawn(
    process.execPath,
    ["--test", "--test-timeout=180000", "--test-concurrency=2", ...files],
    { env, stdio: "inherit" },
  );
  // The terminal sends its signals to the whole group: the tests end, and then so does this.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => child.on("exit", (code) => resolve(code ?? 1)));
}

process.exitCode = await main();
