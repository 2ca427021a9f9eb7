/**
 * Runs the tests with one real PostgreSQL for all of them, started for this run and gone after it: `npm test`,
 * `npm run test:scale` for those of large numbers, or `npm test -- test/door/rest.test.ts` for some. Every test file makes
 * databases of its own from one template.
 */
import { spawn } from "node:child_process";
import { globSync } from "node:fs";
import { join, normalize } from "node:path";
import { createLogins } from "../src/dev/development-database.ts";
import { startEmbeddedPostgres } from "../src/dev/embedded-postgres.ts";
import { migrate } from "../src/storage/migrate.ts";
import { postgresUnderTest } from "./support/postgres-under-test.ts";
import { makeRunFolder, type RunFolder } from "./support/run-folder.ts";

const TEMPLATE = "keyturn_template";
const INTERRUPTED = 130;

/** From the first moment on: whoever interrupts the start wants nothing left of it either. */
const interruption = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => interruption.abort());

async function main(): Promise<number> {
  const asked = process.argv.slice(2);
  const files = filesOf(asked);
  const folder = makeRunFolder("keyturn-test-");
  try {
    return await runOnPostgres(folder, files);
  } finally {
    await folder.remove();
  }
}

/** What takes its minutes by the number of its rows or calls, so that the rest can be run at any time. */
const SCALE = [
  "test/cli/audit-verify.test.ts",
  "test/lists/",
  "test/matrix/",
  "test/model/eight-clients.test.ts",
  "test/storage/audit-load.test.ts",
  "test/storage/audit-verification.test.ts",
];

function filesOf(asked: readonly string[]): readonly string[] {
  const isScale = asked[0] === "--scale";
  if (asked.length > 0 && !isScale) return asked;
  const all = globSync("test/**/*.test.ts").sort();
  return all.filter((file) => SCALE.some((start) => file.startsWith(start)) === isScale);
}

async function runOnPostgres(folder: RunFolder, files: readonly string[]): Promise<number> {
  const postgres = await startEmbeddedPostgres({
    ...postgresUnderTest(folder.path),
    dataDir: join(folder.path, "postgres"),
    settings: { max_connections: "400", log_min_duration_statement: "0", log_statement: "all" },
  });
  try {
    const { ownerUrl, serverUrl } = await createLogins(postgres, TEMPLATE);
    await migrate(ownerUrl);
    const env = {
      ...process.env,
      ...folder.env,
      KEYTURN_TEST_OWNER_URL: ownerUrl,
      KEYTURN_TEST_SERVER_URL: serverUrl,
      KEYTURN_TEST_SUPERUSER_URL: postgres.url({ ...postgres.superuser, database: "postgres" }),
    };
    const alone = files.filter(isAlone);
    const others = files.filter((file) => !isAlone(file));
    const exitCode = others.length === 0 ? 0 : await runNode(others, env, FILES_AT_ONCE);
    if (alone.length === 0 || interruption.signal.aborted) return exitCode;
    return (await runNode(alone, env, 1)) || exitCode;
  } finally {
    await postgres.stop();
  }
}

/** More than there are cores: most of the time a test waits for a process, a timer or the database. */
const FILES_AT_ONCE = 3;
/** What measures, or fills the machine, is run by itself, after all the others. */
const ALONE = [
  "test/bench/",
  "test/door/overload.test.ts",
  "test/fault/rolling-restart.test.ts",
  "test/leak/secret-timing.test.ts",
];
const isAlone = (file: string) => ALONE.some((start) => normalize(file).startsWith(normalize(start)));

function runNode(files: readonly string[], env: NodeJS.ProcessEnv, filesAtOnce: number): Promise<number> {
  const { signal } = interruption;
  const args = ["--test", "--test-timeout=900000", `--test-concurrency=${filesAtOnce}`, ...files];
  const child = spawn(process.execPath, args, { env, signal, stdio: "inherit" });
  // Only to say that it was ended by the signal.
  child.on("error", () => {});
  return new Promise((resolve) =>
    child.on("exit", (code) => resolve(signal.aborted ? INTERRUPTED : (code ?? 1))),
  );
}

process.exitCode = await main();
