import { Writable } from "node:stream";
import { parseRootKeys } from "../../src/auth/root-keys.ts";
import { type Keyturn, startKeyturn } from "../../src/compose.ts";
import { type Config, readConfig } from "../../src/config.ts";
import { createLog } from "../../src/observability/log.ts";
import { givenAccount, givenDatabase, type TestDatabase } from "./database.ts";
import { startIssuer, type TestIssuer } from "./issuer.ts";

export const AUDIENCE = "keyturn";
/** Any 32 bytes do; the same ones, so that several servers of a test understand each other. */
export const ROOT_KEY = Buffer.alloc(32, 7).toString("base64");

export interface TestKeyturn {
  readonly keyturn: Keyturn;
  readonly issuer: TestIssuer;
  readonly db: TestDatabase;
  readonly httpUrl: string;
  readonly adminUrl: string;
  /** `host:port` of the gRPC door. */
  readonly grpcAddress: string;
  /** All that was logged so far, at the level trace. */
  log(): string;
  /** A bearer token of an administrator of the organization, or of somebody with other roles. */
  token(organizationId: string, claims?: Readonly<Record<string, unknown>>): Promise<string>;
  givenAccount(organizationId?: string): Promise<{ readonly organizationId: string; readonly id: string }>;
  stop(): Promise<void>;
}

export interface TestKeyturnOptions {
  /** Shared with other servers; otherwise one of its own, dropped at the end. */
  readonly db?: TestDatabase;
  readonly issuer?: TestIssuer;
  /** More variables, such as KEYTURN_MINT_POOL_SIZE. Hashes are cheap unless the test sets their cost. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where the server connects to, such as a proxy; default: the database itself. */
  readonly databaseUrl?: string;
}

/** A whole server in this process: real doors on free ports, a real database, a real issuer. */
export async function givenKeyturn(options: TestKeyturnOptions = {}): Promise<TestKeyturn> {
  const db = options.db ?? (await givenDatabase());
  const issuer = options.issuer ?? (await startIssuer());
  const databaseUrl = options.databaseUrl ?? db.serverUrl;
  const config = configOf({ ...environment(databaseUrl, issuer.url), ...options.env });
  const lines: string[] = [];
  const log = createLog("trace", collector(lines));
  const parsed = parseRootKeys(options.env?.["KEYTURN_ROOT_KEY"] ?? ROOT_KEY);
  if ("problem" in parsed) throw new Error(parsed.problem);
  const keyturn = await startKeyturn(config, { databaseUrl, rootKeys: parsed.keys, keySets: new Map() }, log);
  return {
    keyturn,
    issuer,
    db,
    httpUrl: `http://${keyturn.addresses.http}`,
    adminUrl: `http://${keyturn.addresses.admin}`,
    grpcAddress: keyturn.addresses.grpc,
    log: () => lines.join(""),
    token: (organizationId, claims = {}) =>
      issuer.sign({
        claims: { tenant_id: organizationId, roles: ["admin"], sub: "user-admin-001", ...claims },
      }),
    givenAccount: (organizationId) => givenAccount(db.sql, organizationId),
    async stop() {
      await keyturn.stop(1_000);
      if (options.issuer === undefined) await issuer.stop();
      if (options.db === undefined) await db.drop();
    },
  };
}

/** The environment of a server process or an in-process server, as in production, with free ports and cheap hashes. */
export function environment(databaseUrl: string, issuerUrl: string): Record<string, string> {
  return {
    DATABASE_URL: databaseUrl,
    KEYTURN_OIDC_ISSUER: issuerUrl,
    KEYTURN_OIDC_AUDIENCE: AUDIENCE,
    KEYTURN_ROOT_KEY: ROOT_KEY,
    KEYTURN_GRPC_PORT: "0",
    KEYTURN_HTTP_PORT: "0",
    KEYTURN_ADMIN_PORT: "0",
    KEYTURN_ARGON2_MEMORY_KIB: "64",
    KEYTURN_ARGON2_PASSES: "1",
    KEYTURN_DRAIN_GRACE: "0s",
  };
}

function configOf(env: Record<string, string>): Config {
  const result = readConfig(env, { readFile: () => "", cores: 2 });
  if ("mistakes" in result) throw new Error(result.mistakes.join("; "));
  return result.config;
}

function collector(lines: string[]): Writable {
  return new Writable({
    write(chunk, _encoding, done) {
      lines.push(chunk.toString());
      done();
    },
  });
}
