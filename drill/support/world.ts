import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import type postgres from "postgres";
import { startCluster, type TestCluster } from "../../test/support/cluster.ts";
import { givenAccount } from "../../test/support/database.ts";
import { startIssuer, type TestIssuer } from "../../test/support/issuer.ts";
import { environment } from "../../test/support/keyturn.ts";
import { type ServerProcess, startServer } from "../../test/support/process.ts";
import type { DrillRun } from "./drill.ts";
import { seedDatabase } from "./seeded-bug.ts";

/** A PostgreSQL, an issuer and server processes of one drill's own, all gone at the end of its block. */
export interface World extends AsyncDisposable {
  /** Not there where the drill has brought another database. */
  readonly cluster: TestCluster;
  readonly issuer: TestIssuer;
  readonly organizationId: string;
  /** As superuser; lost with the database, and opened anew by itself. */
  readonly sql: postgres.Sql;
  /** What a server of this world is given, with the URL of another way to the database where one is named. */
  environment(databaseUrl?: string): Record<string, string>;
  /** Of the sources of this run. */
  readonly root: string;
  /** A server as in production, from the sources of this run or others. */
  serve(env?: Readonly<Record<string, string>>, from?: string): Promise<ServerProcess>;
  /** Good for minutes: an administrator and verifier of the organization. */
  token(): Promise<string>;
  accounts(count: number): Promise<string[]>;
  /** Runs at the end, before everything else ends. */
  later(end: () => unknown): void;
}

const TOKEN_MS = 120_000;

export interface WorldOptions {
  /** More settings of its PostgreSQL. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Another database than a cluster of its own. */
  readonly database?: WorldDatabase | undefined;
}

/** What a world needs of its database. */
export type WorldDatabase = Pick<TestCluster, "serverUrl" | "connect" | "stop">;

export async function givenWorld(
  { root, bug }: DrillRun,
  { settings = {}, database: other }: WorldOptions = {},
): Promise<World> {
  const own = other === undefined ? await startCluster({ max_connections: "200", ...settings }) : undefined;
  const database = (other ?? own) as WorldDatabase;
  const issuer = await startIssuer();
  const sql = database.connect();
  await seedDatabase(sql, bug);
  const { organizationId } = await givenAccount(sql);
  const ends: (() => unknown)[] = [];
  let token = { text: "", until: 0 };
  const environmentFor = (databaseUrl = database.serverUrl) => ({
    ...environment(databaseUrl, issuer.url),
    // Room for a load that never deletes.
    KEYTURN_ACTIVE_CREDENTIALS_MAX: "100",
  });
  return {
    get cluster() {
      if (own === undefined) throw new Error("this world has no cluster of its own");
      return own;
    },
    issuer,
    organizationId,
    sql,
    environment: environmentFor,
    root,
    async serve(env = {}, from = root) {
      const server = await startServer({ ...environmentFor(), ...env }, { root: resolve(from) });
      ends.push(async () => {
        if (!server.isRunning()) return;
        process.kill(server.pid, "SIGKILL");
        await server.exited;
      });
      return server;
    },
    async token() {
      if (performance.now() > token.until) {
        const claims = {
          tenant_id: organizationId,
          roles: ["admin", "verifier"],
          sub: "drill",
          exp: Math.floor(Date.now() / 1000) + 3600,
        };
        token = { text: await issuer.sign({ claims }), until: performance.now() + TOKEN_MS };
      }
      return token.text;
    },
    async accounts(count) {
      const name = `sa-${randomBytes(3).toString("hex")}-`;
      const rows = await sql<{ id: string }[]>`
        insert into keyturn.service_accounts (organization_id, id, display_name, scope_id, created_by)
        select ${organizationId}, ${name} || n, 'Drill', ${organizationId}, 'drill' from generate_series(1, ${count}::int) n
        returning id`;
      return rows.map(({ id }) => id);
    },
    later: (end) => void ends.push(end),
    async [Symbol.asyncDispose]() {
      for (const end of ends.reverse()) await end();
      await sql.end({ timeout: 1 }).catch(() => {});
      await issuer.stop();
      await database.stop();
    },
  };
}
