import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import postgres from "postgres";
import { createLogins } from "../../src/dev/development-database.ts";
import { startEmbeddedPostgres } from "../../src/dev/embedded-postgres.ts";
import { migrate } from "../../src/storage/migrate.ts";
import { startIssuer } from "../../test/support/issuer.ts";
import { type Measured, start } from "./measured.ts";
import { type Contender, type Rounds, takeTurns } from "./turns.ts";

/** A migrated database of one target's own. */
export interface BenchDatabase {
  readonly ownerUrl: string;
  readonly serverUrl: string;
  readonly superuserUrl: string;
  /** As superuser, one connection. */
  readonly sql: postgres.Sql;
}

/** `keyturn serve` in production, of one target's own. */
export interface BenchServer {
  readonly pid: number;
  /** `host:port` of each door. */
  readonly grpc: string;
  readonly http: string;
  readonly admin: string;
  readonly process: Measured;
}

/** One PostgreSQL with `fsync` on and one issuer for the whole run; what a target starts by it ends with the target. */
export interface Bench {
  readonly quick: boolean;
  /** Only to see that everything runs. */
  readonly isShort: boolean;
  readonly postgresPid: number;
  readonly issuerUrl: string;
  /** So many round trips of an interleaved run, so long each. */
  readonly rounds: number;
  readonly durationMs: number;
  database(): Promise<BenchDatabase>;
  /** The URL of a database with nothing in it, as superuser: for a peer. */
  emptyDatabase(): Promise<string>;
  serve(database: BenchDatabase, env?: Readonly<Record<string, string>>): Promise<BenchServer>;
  start(...args: Parameters<typeof start>): Measured;
  /** Good for an hour. */
  token(organizationId: string, roles?: readonly string[]): Promise<string>;
  takeTurns<Name extends string>(contenders: Readonly<Record<Name, Contender>>): Promise<Rounds<Name>>;
  /** Runs at the end of the target, before what was started earlier ends. */
  later(end: () => unknown): void;
  /** The version of the PostgreSQL that runs. */
  postgresVersion(): Promise<string>;
}

export interface Ground extends AsyncDisposable {
  readonly bench: Bench;
  /** Ends all that a target has started. */
  endTarget(): Promise<void>;
}

export interface Length {
  readonly quick: boolean;
  readonly isShort: boolean;
  readonly rounds: number;
  readonly durationMs: number;
  readonly warmUpMsMax: number;
}

const TEMPLATE = "keyturn";
/** Rates of a machine that has just refilled a pool, or is writing out a seed, are not its own. */
const SETTLE_MS = 200;

export async function prepareGround(length: Length): Promise<Ground> {
  const folder = mkdtempSync(join(tmpdir(), "keyturn-bench-"));
  // Where PostgreSQL runs as another user than root, that user must be able to enter.
  chmodSync(folder, 0o755);
  const cluster = await startEmbeddedPostgres({
    dataDir: join(folder, "postgres"),
    settings: { max_connections: "300", fsync: "on", max_wal_size: "4GB" },
  });
  const issuer = await startIssuer();
  const logins = await createLogins(cluster, TEMPLATE);
  await migrate(logins.ownerUrl);
  const keyFile = join(folder, "root-key");
  writeFileSync(keyFile, randomBytes(32).toString("base64"), { mode: 0o600 });
  const urlOf = (database: string) => cluster.url({ ...cluster.superuser, database });
  const admin = postgres(urlOf("postgres"), { max: 1, onnotice: () => {} });
  const ends: (() => unknown)[] = [];

  const newDatabase = async (template: string): Promise<string> => {
    const name = `bench_${randomBytes(4).toString("hex")}`;
    await admin.unsafe(`create database ${name} ${template}`);
    ends.push(() => admin.unsafe(`drop database ${name} with (force)`));
    return name;
  };
  const bench: Bench = {
    ...length,
    postgresPid: cluster.pid,
    issuerUrl: issuer.url,
    async database() {
      const name = await newDatabase(`template ${TEMPLATE} owner keyturn_owner`);
      const at = (url: string) => Object.assign(new URL(url), { pathname: `/${name}` }).href;
      const sql = postgres(urlOf(name), { max: 1, onnotice: () => {} });
      ends.push(() => sql.end({ timeout: 1 }));
      const { ownerUrl, serverUrl } = logins;
      return { ownerUrl: at(ownerUrl), serverUrl: at(serverUrl), superuserUrl: urlOf(name), sql };
    },
    emptyDatabase: async () => urlOf(await newDatabase("")),
    async serve(database, env = {}) {
      const server = bench.start([process.execPath, "bin/keyturn.mjs", "serve"], {
        ...productionEnvironment(database.serverUrl, issuer.url, keyFile),
        ...env,
      });
      const doors = await server.line<{ grpc: string; http: string; admin: string }>(
        ({ msg }) => msg === "listening",
      );
      await untilPoolIsFull(doors.admin, Number(env["KEYTURN_MINT_POOL_SIZE"] ?? 64));
      return { pid: server.pid, grpc: doors.grpc, http: doors.http, admin: doors.admin, process: server };
    },
    start(...args) {
      const started = start(...args);
      ends.push(() => started.stop());
      return started;
    },
    token: (organizationId, roles = ["admin", "verifier"]) =>
      issuer.sign({
        claims: { tenant_id: organizationId, roles, sub: "bench", exp: Math.floor(Date.now() / 1000) + 3600 },
      }),
    async takeTurns(contenders) {
      await delay(SETTLE_MS);
      return takeTurns(contenders, { ...length, postgresPid: cluster.pid });
    },
    later: (end) => void ends.push(end),
    async postgresVersion() {
      const [row] = await admin<{ version: string }[]>`select current_setting('server_version') as version`;
      return row?.version ?? "";
    },
  };
  const endTarget = async () => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  return {
    bench,
    endTarget,
    async [Symbol.asyncDispose]() {
      try {
        await endTarget();
        await admin.end({ timeout: 1 });
        await issuer.stop();
      } finally {
        await cluster.stop();
        rmSync(folder, { recursive: true, force: true });
      }
    },
  };
}

function productionEnvironment(databaseUrl: string, issuerUrl: string, keyFile: string) {
  return {
    DATABASE_URL: databaseUrl,
    NODE_ENV: "production",
    LOG_LEVEL: "info",
    KEYTURN_OIDC_ISSUER: issuerUrl,
    KEYTURN_OIDC_AUDIENCE: "keyturn",
    KEYTURN_TOKEN_ISSUER: "https://keyturn.example",
    KEYTURN_ROOT_KEY_FILE: keyFile,
    KEYTURN_GRPC_PORT: "0",
    KEYTURN_HTTP_PORT: "0",
    KEYTURN_ADMIN_PORT: "0",
    // Room for a load that never deletes.
    KEYTURN_ACTIVE_CREDENTIALS_MAX: "100",
    KEYTURN_DRAIN_GRACE: "0s",
  };
}

/** The reading of one metric, the first series of its name; undefined while there is none. */
export async function readMetric(admin: string, name: string): Promise<number | undefined> {
  const text = await (await fetch(`http://${admin}/metrics`)).text();
  const value = new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "m").exec(text)?.[1];
  return value === undefined ? undefined : Number(value);
}

/** Until then the server hashes by itself. */
export async function untilPoolIsFull(admin: string, level: number): Promise<void> {
  while (((await readMetric(admin, "keyturn_mint_pool_level")) ?? 0) < level) await delay(50);
}
