import { randomBytes } from "node:crypto";
import { createHasher } from "./auth/hasher.ts";
import type { KeySet } from "./auth/key-set.ts";
import { createMint } from "./auth/mint.ts";
import { remoteKeySet } from "./auth/remote-key-set.ts";
import { deriveKeys, type KeyRing } from "./auth/root-keys.ts";
import { cacheVerifiedTokens } from "./auth/token-cache.ts";
import { createTokenVerifier } from "./auth/verify-token.ts";
import type { Config } from "./config.ts";
import { openAdminDoor } from "./door/admin.ts";
import { openGrpcDoor } from "./door/grpc.ts";
import { openHttpDoor } from "./door/http.ts";
import type { Log } from "./observability/log.ts";
import { createMetrics } from "./observability/metrics.ts";
import { credentialServiceHandlers } from "./rpc/handlers/credential-service.ts";
import { createKernel } from "./rpc/kernel.ts";
import { openCredentials } from "./storage/credentials.ts";
import { openDatabase } from "./storage/database.ts";
import { databaseState } from "./storage/readiness.ts";

/** What comes from the configuration in production, and from the data folder in development. */
export interface Foundations {
  readonly databaseUrl: string;
  readonly rootKeys: KeyRing;
  /** Issuers whose keys are known already; the configured ones are fetched. */
  readonly keySets: ReadonlyMap<string, KeySet>;
}

export interface Keyturn {
  /** `host:port` of each door. */
  readonly addresses: { readonly grpc: string; readonly http: string; readonly admin: string };
  readonly db: ReturnType<typeof openDatabase>;
  /** Stops accepting, lets calls in flight finish for `timeoutMs`, then closes everything. */
  stop(timeoutMs: number): Promise<void>;
}

/** Limits that hold whatever the configuration says (docs/operations.md). */
const LIMITS = {
  messageBytesMax: 64 * 1024,
  headerBytesMax: 16 * 1024,
  concurrentStreamsMax: 100,
  defaultDeadlineMs: 10_000,
  deadlineMsMax: 30_000,
  databaseQueueMax: 512,
  databaseQueueWaitMsMax: 200,
  lockTimeoutMs: 1_000,
  cancelGraceMs: 2_000,
} as const;

/** The composition root: builds every part from the configuration, and says in which order they end. */
export async function startKeyturn(config: Config, foundations: Foundations, log: Log): Promise<Keyturn> {
  const metrics = createMetrics();
  const keySets = new Map([
    ...foundations.keySets,
    ...config.oidcIssuers.map((issuer) => [issuer, watchedKeySet(issuer, log)] as const),
  ]);
  const verifyToken = cacheVerifiedTokens({
    verifyToken: createTokenVerifier({
      issuers: keySets,
      audiences: config.oidcAudiences,
      tenantClaim: config.tenantClaim,
      rolesClaim: config.rolesClaim,
      now: Date.now,
    }),
    keySets: [...keySets.values()],
    now: Date.now,
  });
  const db = openDatabase({
    url: foundations.databaseUrl,
    connectionsMax: config.databaseConnectionsMax,
    queueMax: LIMITS.databaseQueueMax,
    queueWaitMsMax: LIMITS.databaseQueueWaitMsMax,
    statementTimeoutMs: LIMITS.deadlineMsMax,
    lockTimeoutMs: LIMITS.lockTimeoutMs,
    cancelGraceMs: LIMITS.cancelGraceMs,
    onWait: metrics.databaseWaited,
  });
  const hasher = createHasher({
    permits: config.hashPermits,
    cost: { memoryKib: config.hashMemoryKib, passes: config.hashPasses, lanes: 1 },
    randomBytes,
    now: () => performance.now(),
    random: Math.random,
    onWait: metrics.hashWaited,
  });
  const mint = createMint({
    hasher,
    prefix: config.secretPrefix,
    tagKey: deriveKeys(foundations.rootKeys).secretTag[0],
    randomBytes,
    poolSize: config.mintPoolSize,
    onRefillError: () => log.event("error", "mint refill failed"),
  });
  metrics.watch({ db, hasher, mint });
  const credentials = openCredentials(db, config.policy);
  const kernel = createKernel({
    handlers: { CredentialService: credentialServiceHandlers({ mint, credentials }) },
    verifyToken,
    administratorRoles: config.administratorRoles,
    deadlines: LIMITS,
    log,
    metrics,
  });

  let draining = false;
  const unreadyParts = async (): Promise<string[]> => {
    const state = await databaseState(db, AbortSignal.timeout(1_000));
    const waiting = [...keySets]
      .filter(([, keySet]) => !keySet.loaded())
      .map(([issuer]) => `keys of ${issuer}`);
    return [
      ...(draining ? ["draining"] : []),
      ...(state === "ready" ? [] : [`database ${state}`]),
      ...waiting,
    ];
  };
  const opened: { close(timeoutMs: number): Promise<void> }[] = [];
  const closeParts = async (timeoutMs: number) => {
    const [admin, ...callers] = opened;
    await Promise.all(callers.map((door) => door.close(timeoutMs)));
    await admin?.close(0);
    await mint.close();
    for (const keySet of keySets.values()) keySet.close();
    await db.close(1_000);
  };
  try {
    const { host } = config;
    // The operators' door opens first and closes last: it is where a start or a drain is watched from.
    const admin = await openAdminDoor({
      host: config.adminHost,
      port: config.adminPort,
      metrics,
      unreadyParts,
    });
    opened.push(admin);
    const grpc = await openGrpcDoor({
      ...LIMITS,
      kernel,
      host,
      port: config.grpcPort,
      reflection: config.reflection,
    });
    opened.push(grpc);
    const onDefect = (err: unknown) => log.defect("", err);
    const http = await openHttpDoor({ ...LIMITS, kernel, host, port: config.httpPort, onDefect });
    opened.push(http);
    for (const keySet of keySets.values()) keySet.ready().catch(() => {});
    return {
      addresses: { grpc: addressOf(grpc), http: addressOf(http), admin: addressOf(admin) },
      db,
      async stop(timeoutMs) {
        draining = true;
        await closeParts(timeoutMs);
      },
    };
  } catch (err) {
    await closeParts(0);
    throw err;
  }
}

function addressOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Says in the log what became of each fetch of an issuer's keys. */
function watchedKeySet(issuer: string, log: Log): KeySet {
  return remoteKeySet(issuer, {
    onRefresh: (outcome) =>
      outcome.kind === "loaded"
        ? log.event("info", "key set loaded", {
            issuer,
            keys: outcome.keyCount,
            skipped: outcome.skipped.length,
          })
        : log.event("warn", "key set failed", {
            issuer,
            problem: outcome.error.problem,
            retry_ms: outcome.retryDelayMs,
          }),
  });
}
