import { givenDatabase, type TestDatabase } from "./database.ts";
import { startIssuer, type TestIssuer } from "./issuer.ts";
import { givenKeyturn, type TestKeyturn } from "./keyturn.ts";

/** Two servers that share nothing but their database, their issuer and their root key, as replicas do. */
export interface TwoServers {
  readonly db: TestDatabase;
  readonly issuer: TestIssuer;
  readonly servers: readonly [TestKeyturn, TestKeyturn];
  stop(): Promise<void>;
}

/** What is tested is the promise, not the speed of the machine: nobody is sent away from a row's lock by the clock. */
const PATIENCE_MS = 30_000;

/** @param callersMax how many calls may wait for one service account, on each server. */
export async function givenTwoServers(
  callersMax: number,
  env: Readonly<Record<string, string>> = {},
): Promise<TwoServers> {
  const db = await givenDatabase();
  const issuer = await startIssuer();
  const options = {
    db,
    issuer,
    databaseUrl: `${db.serverUrl}?lock_timeout=${PATIENCE_MS}`,
    // Half of the connections may wait for one account.
    env: { KEYTURN_DATABASE_CONNECTIONS_MAX: String(2 * callersMax), ...env },
  };
  const servers = [await givenKeyturn(options), await givenKeyturn(options)] as const;
  return {
    db,
    issuer,
    servers,
    async stop() {
      await Promise.all(servers.map((server) => server.stop()));
      await issuer.stop();
      await db.drop();
    },
  };
}
