import { randomBytes } from "node:crypto";
import { join, resolve } from "node:path";
import type { KeySet } from "../auth/key-set.ts";
import { type KeyRing, parseRootKeys } from "../auth/root-keys.ts";
import type { Config } from "../config.ts";
import { migrate } from "../storage/migrate.ts";
import { startDevelopmentDatabase } from "./development-database.ts";
import { DEVELOPMENT_ISSUER, developmentKeySet, signDevelopmentToken } from "./development-issuer.ts";
import { readOrCreatePrivateFile } from "./private-file.ts";
import { seedDevelopmentData } from "./seed-data.ts";

/** What a first run has in place of a production's configuration. Nothing of this folder loads in production. */
export interface Development {
  readonly databaseUrl: string;
  readonly rootKeys: KeyRing;
  /** The development issuer, unless others are configured. */
  readonly keySets: ReadonlyMap<string, KeySet>;
  /** Ends the embedded database, if there is one. */
  stop(): Promise<void>;
  /** Resolves when the embedded database has ended by itself; never, where there is none. */
  readonly databaseExited: Promise<unknown>;
}

/** Database (embedded unless configured), migrations, seed data, root key and development issuer. */
export async function prepareDevelopment(config: Config): Promise<Development> {
  const rootKeys = config.rootKeys ?? (await developmentRootKeys(config.dataDir));
  const keySets = await keySetsOf(config);
  if (config.databaseUrl !== undefined) {
    await migrate(config.databaseUrl);
    await seedDevelopmentData(config.databaseUrl);
    return {
      databaseUrl: config.databaseUrl,
      rootKeys,
      keySets,
      stop: async () => {},
      databaseExited: new Promise(() => {}),
    };
  }
  const { ownerUrl, serverUrl, postgres } = await startDevelopmentDatabase(config.dataDir);
  try {
    await migrate(ownerUrl);
    await seedDevelopmentData(ownerUrl);
  } catch (err) {
    await postgres.stop();
    throw err;
  }
  const databaseExited = Promise.withResolvers<void>();
  let isStopping = false;
  void postgres.exited.then(() => isStopping || databaseExited.resolve());
  return {
    databaseUrl: serverUrl,
    rootKeys,
    keySets,
    stop() {
      isStopping = true;
      return postgres.stop();
    },
    databaseExited: databaseExited.promise,
  };
}

/** The same for a worker: what the process that has started it has prepared. */
export async function joinDevelopment(config: Config, databaseUrl: string) {
  const rootKeys = config.rootKeys ?? (await developmentRootKeys(config.dataDir));
  return { databaseUrl, rootKeys, keySets: await keySetsOf(config) };
}

async function keySetsOf(config: Config): Promise<ReadonlyMap<string, KeySet>> {
  if (config.oidcIssuers.length > 0) return new Map();
  return new Map([[DEVELOPMENT_ISSUER, await developmentKeySet(config.dataDir)]]);
}

/** The root key of the data folder, which is made when there is none. */
export async function developmentRootKeys(dataDir: string): Promise<KeyRing> {
  const file = join(resolve(dataDir), "root-key");
  const parsed = parseRootKeys(
    (await readOrCreatePrivateFile(file, async () => randomBytes(32).toString("base64"))).trim(),
  );
  if ("problem" in parsed) throw new Error(`${file}: ${parsed.problem}`);
  return parsed.keys;
}

const BANNER_TOKEN_LIFETIME_SECONDS = 12 * 3600;

/** What to try first, as lines that can be pasted. */
export async function firstSteps(config: Config, httpAddress: string): Promise<string> {
  const token = await signDevelopmentToken(config.dataDir, {
    organizationId: "acme",
    subject: "user-admin-001",
    roles: config.administratorRoles.slice(0, 1),
    audience: config.oidcAudiences[0] ?? "",
    lifetimeSeconds: BANNER_TOKEN_LIFETIME_SECONDS,
    tenantClaim: config.tenantClaim,
    rolesClaim: config.rolesClaim,
  });
  return [
    "",
    "Keyturn is ready. Create a first credential:",
    "",
    `curl -i -X POST ${config.tls.http === undefined ? "http" : "https"}://${httpAddress}/v1/regions/global/iam/service-accounts/sa-pipeline-prod/credentials` +
      ` -H 'Authorization: Bearer ${token}' -H 'Content-Type: application/json' -d '{}'`,
    "",
    "",
  ].join("\n");
}
