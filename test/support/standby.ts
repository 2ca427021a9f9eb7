import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, copyFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import postgres from "postgres";
import { createLogins } from "../../src/dev/development-database.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../src/dev/embedded-postgres.ts";
import { migrate } from "../../src/storage/migrate.ts";
import { eventually } from "./eventually.ts";
import { postgresUnderTest } from "./postgres-under-test.ts";

const DATABASE = "keyturn";
const REPLICATION = { wal_level: "replica", max_wal_senders: "4", hot_standby: "on", wal_keep_size: "64MB" };

/** A primary with a migrated database, and a standby that follows it by streaming. */
export interface PrimaryAndStandby {
  /** The servers' login: both hosts in one URL, as an operator writes it. */
  serverUrl(targetSessionAttrs: string, first: "primary" | "standby"): string;
  /** As superuser, a new connection to one of the two: the caller ends it. */
  connect(to: "primary" | "standby"): postgres.Sql;
  /** The same, to whichever of the two is the primary when it connects. */
  connectToPrimary(): postgres.Sql;
  /** Resolves when the standby has all that the primary has. */
  caughtUp(): Promise<void>;
  killPrimary(): Promise<void>;
  promoteStandby(): Promise<void>;
  stop(): Promise<void>;
}

export async function startPrimaryAndStandby(): Promise<PrimaryAndStandby> {
  const folder = mkdtempSync(join(tmpdir(), "keyturn-standby-"));
  // Where PostgreSQL runs as another user than root, that user must be able to enter.
  chmodSync(folder, 0o755);
  const installation = postgresUnderTest(folder);
  const start = (name: string, settings: Readonly<Record<string, string>>) =>
    startEmbeddedPostgres({
      ...installation,
      dataDir: join(folder, name),
      settings: { ...REPLICATION, ...settings },
      logLine: () => {},
    });
  const primary = await start("primary", {});
  const { ownerUrl, serverUrl } = await createLogins(primary, DATABASE);
  await migrate(ownerUrl);
  await copyForStandby(primary, join(dirname(primary.location), "standby"));
  const { host, port, superuser } = primary;
  const conninfo = `host=${host} port=${port} user=${superuser.user} password=${superuser.password}`;
  const standby = await start("standby", { primary_conninfo: conninfo }).catch(async (err) => {
    await primary.stop();
    throw err;
  });
  const nodes = { primary, standby };
  const connect = (to: keyof typeof nodes) =>
    postgres(nodes[to].url({ ...superuser, database: DATABASE }), { max: 1, onnotice: () => {} });
  return {
    serverUrl: (attrs, first) => {
      const ports = first === "standby" ? [standby.port, port] : [port, standby.port];
      const hosts = ports.map((each) => `${host}:${each}`).join(",");
      return `${serverUrl.replace(`${host}:${port}`, hosts)}?target_session_attrs=${attrs}`;
    },
    connect,
    connectToPrimary: () =>
      postgres(
        primary
          .url({ ...superuser, database: DATABASE })
          .replace(/:\d+\//, `:${port},${host}:${standby.port}/`),
        { target_session_attrs: "primary", max: 1, onnotice: () => {} },
      ),
    async caughtUp() {
      await using sent = asked(connect("primary"));
      await using received = asked(connect("standby"));
      const [row] = await sent.sql`select pg_current_wal_flush_lsn()::text as lsn`;
      await eventually(async () => {
        const [{ reached } = {}] = await received.sql<{ reached: boolean }[]>`
          select pg_last_wal_replay_lsn() >= ${row?.["lsn"]}::pg_lsn as reached`;
        return reached;
      });
    },
    async killPrimary() {
      process.kill(primary.pid, "SIGKILL");
      await primary.exited;
    },
    async promoteStandby() {
      await using promoted = asked(connect("standby"));
      await promoted.sql`select pg_promote()`;
    },
    async stop() {
      await Promise.all([primary.stop(), standby.stop()]);
      rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
  };
}

/** A connection that ends with its block. */
const asked = (sql: postgres.Sql) => ({ sql, [Symbol.asyncDispose]: () => sql.end({ timeout: 1 }) });

/** A base backup as PostgreSQL documents it for those who have no pg_basebackup: start, copy, stop, write the label. */
async function copyForStandby(primary: EmbeddedPostgres, target: string): Promise<void> {
  await using asking = asked(
    postgres(primary.url({ ...primary.superuser, database: "postgres" }), { max: 1, onnotice: () => {} }),
  );
  await asking.sql`select pg_backup_start('standby', true)`;
  // Not Node's own: the owner of the files is to stay, and the moments of change.
  execFileSync("cp", ["-a", primary.location, target]);
  copyFileSync(`${primary.location}.password`, `${target}.password`);
  // Whose process it names is the primary.
  rmSync(join(target, "postmaster.pid"));
  const [row] = await asking.sql<{ labelfile: string }[]>`select labelfile from pg_backup_stop(false)`;
  const { uid, gid } = statSync(primary.location);
  for (const [name, content] of [
    ["backup_label", row?.labelfile ?? ""],
    ["standby.signal", ""],
  ] as const) {
    writeFileSync(join(target, name), content);
    chownSync(join(target, name), uid, gid);
  }
}
