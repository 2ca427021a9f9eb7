import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { createLogins } from "../../src/dev/development-database.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../src/dev/embedded-postgres.ts";
import { migrate } from "../../src/storage/migrate.ts";
import { postgresUnderTest } from "./postgres-under-test.ts";

const DATABASE = "keyturn";

/** A PostgreSQL of one test file's own, to be killed, stopped and read from, with a migrated database on it. */
export interface TestCluster {
  readonly ownerUrl: string;
  readonly serverUrl: string;
  /** Of the postmaster that runs now. */
  pid(): number;
  readonly superuserUrl: string;
  /** As superuser, a new connection to its database or another one: the caller ends it. */
  connect(database?: string): postgres.Sql;
  /** What the server has written to its log so far. */
  log(): string;
  /** SIGKILL to the postmaster; resolves when it has ended. */
  kill(): Promise<void>;
  /** Resolves when the postmaster that runs now has ended, for whatever reason. */
  exited(): Promise<unknown>;
  /** Starts it again after its end, at the same port: crash recovery. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** @param disk the folder that its folder is made in. */
export async function startCluster(
  settings: Readonly<Record<string, string>> = {},
  disk = tmpdir(),
): Promise<TestCluster> {
  const folder = mkdtempSync(join(disk, "keyturn-cluster-"));
  // Where PostgreSQL runs as another user than root, that user must be able to enter.
  chmodSync(folder, 0o755);
  const lines: string[] = [];
  const installation = postgresUnderTest(folder);
  const start = (port?: number) =>
    startEmbeddedPostgres({
      ...installation,
      dataDir: join(folder, "postgres"),
      settings: { fsync: "on", ...settings },
      logLine: (line) => lines.push(line),
      ...(port === undefined ? {} : { port }),
    });
  let running: EmbeddedPostgres = await start();
  const { ownerUrl, serverUrl } = await createLogins(running, DATABASE);
  await migrate(ownerUrl);
  const superuserUrl = running.url({ ...running.superuser, database: DATABASE });
  return {
    ownerUrl,
    serverUrl,
    superuserUrl,
    pid: () => running.pid,
    connect: (database = DATABASE) => postgres(superuserUrl, { database, max: 1, onnotice: () => {} }),
    log: () => lines.join("\n"),
    async kill() {
      process.kill(running.pid, "SIGKILL");
      await running.exited;
    },
    exited: () => running.exited,
    async restart() {
      running = await start(running.port);
    },
    async stop() {
      await running.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
