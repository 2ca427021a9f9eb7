import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import manifest from "../package.json" with { type: "json" };
import { createCertificateCallers } from "./auth/certificate-callers.ts";
import { createHasher } from "./auth/hasher.ts";
import type { KeySet } from "./auth/key-set.ts";
import { createMint } from "./auth/mint.ts";
import { deriveKeys, type KeyRing } from "./auth/root-keys.ts";
import type { Config } from "./config.ts";
import { type Addresses, type Doors, openDoors } from "./doors.ts";
import { startEventDelivery } from "./event-delivery.ts";
import { createHandlers } from "./handlers.ts";
import { LIMITS } from "./limits.ts";
import type { Log } from "./observability/log.ts";
import { createMetrics, type MetricsSnapshot } from "./observability/metrics.ts";
import { watchReadiness } from "./readiness.ts";
import { createKernel } from "./rpc/kernel.ts";
import { createSecretChecks } from "./secret-checks.ts";
import { recordRefusal } from "./service/record-refusal.ts";
import { openDatabase } from "./storage/database.ts";
import { examineLogin } from "./storage/login-rights.ts";
import { databaseState } from "./storage/readiness.ts";
import { openRefusalRecorder } from "./storage/refusal-recorder.ts";
import { traceDatabase } from "./storage/traced-database.ts";
import { createTokenSigning } from "./token-signing.ts";
import { createTokenVerification } from "./token-verification.ts";
import { startTracing } from "./traces.ts";
import { startUpkeep } from "./upkeep.ts";

/** What comes from the configuration in production, and from the data folder in development. */
export interface Foundations {
  readonly databaseUrl: string;
  readonly rootKeys: KeyRing;
  /** Issuers whose keys are known already; the configured ones are fetched. */
  readonly keySets: ReadonlyMap<string, KeySet>;
}

export interface Keyturn {
  /** `host:port` of each door. */
  readonly addresses: Addresses;
  /** Resolves when the service turns out not to be fit to go on, which the log has said. */
  readonly unfit: Promise<void>;
  /** For the process that has started this one. */
  report(): Promise<{ readonly unready: readonly string[]; readonly metrics: MetricsSnapshot }>;
  /** Stops accepting, lets calls in flight finish for `timeoutMs`, then closes everything. */
  stop(timeoutMs: number): Promise<void>;
}

const KNOWN_WITHIN_MS = 1_000;
const SETTLED_MS = 1_000;
/** For what is left of traces at the end. */
const TRACES_MS_MAX = 1_000;

/** The composition root: builds every part from the configuration, and says in which order they end. */
export async function startKeyturn(config: Config, foundations: Foundations, log: Log): Promise<Keyturn> {
  const metrics = createMetrics();
  const tracing = startTracing(config, log, metrics);
  const { verifyToken, keySets } = createTokenVerification(
    config,
    foundations.keySets,
    log,
    metrics,
    tracing,
  );
  const untraced = openDatabase({
    url: foundations.databaseUrl,
    connectionsMax: config.databaseConnectionsMax,
    connectionsOfGroupMax: Math.ceil(config.databaseConnectionsMax / 2),
    queueMax: LIMITS.databaseQueueMax,
    queueWaitMsMax: LIMITS.databaseQueueWaitMsMax,
    groupWaitMsMax: LIMITS.databaseGroupWaitMsMax,
    statementTimeoutMs: LIMITS.deadlineMsMax,
    lockTimeoutMs: LIMITS.lockTimeoutMs,
    cancelGraceMs: LIMITS.cancelGraceMs,
    onWait: metrics.databaseWaited,
  });
  const db = tracing === undefined ? untraced : traceDatabase(untraced, tracing.currentSpan);
  const keys = deriveKeys(foundations.rootKeys);
  const login = examineLogin(db, !config.production);
  const fit = login.known.then((rights) => (rights.length === 0 ? undefined : new Promise<void>(() => {})));
  const unfit = login.known.then((rights) => {
    if (rights.length === 0) return new Promise<void>(() => {});
    log.event("fatal", "the database login has rights that a server must not have", { rights });
    return undefined;
  });
  const signing = createTokenSigning({ config, db, fit, sealingKeys: keys.signingKey, log, metrics });
  const hasher = createHasher({
    permits: config.hashPermits,
    cost: { memoryKib: config.hashMemoryKib, passes: config.hashPasses, lanes: 1 },
    randomBytes,
    now: () => performance.now(),
    random: Math.random,
    onWait: metrics.hashWaited,
    currentSpan: tracing?.currentSpan,
  });
  // What a hash takes while a start still takes memory is in pieces afterwards, and the next one takes more (bin/keyturn.mjs).
  const started = Promise.withResolvers<void>();
  const mint = createMint({
    started: started.promise,
    hasher,
    prefix: config.secretPrefix,
    tagKey: keys.secretTag[0],
    randomBytes,
    poolSize: config.mintPoolSize,
    onRefillError: () => log.event("error", "mint refill failed"),
  });
  const checks = createSecretChecks({
    config,
    db,
    keys,
    hasher,
    log,
    metrics,
    currentSpan: tracing?.currentSpan,
  });
  const kernel = createKernel({
    handlers: createHandlers({ ...config, ...checks, ...signing, db, mint, keys }),
    verifyToken,
    callerOfCertificate: createCertificateCallers(config.certificateCallers, Date.now),
    roles: config,
    recordRefusal: recordRefusal({
      writeRefusal: openRefusalRecorder(db, LIMITS.refusalRecordMsMax),
      timeoutMs: LIMITS.refusalRecordMsMax,
      onLost: (err) => {
        metrics.refusalLost();
        log.failed({ part: "audit trail" }, err);
      },
    }),
    deadlines: LIMITS,
    log,
    metrics,
    tracing,
  });

  const upkeep = startUpkeep({ config, db, log, metrics });
  const events = startEventDelivery({ config, db, fit, log, metrics, tracing });

  const readiness = watchReadiness({
    look: async () => {
      const state = await databaseState(db, AbortSignal.timeout(1_000));
      const waiting = [...keySets]
        .filter(([, keySet]) => !keySet.loaded())
        .map(([issuer]) => `keys of ${issuer}`);
      return [
        ...(state === "ready" ? [] : [`database ${state}`]),
        ...(login.excessive()?.length === 0 ? [] : ["database login"]),
        ...(signing.ring.loaded() ? [] : ["signing key"]),
        ...waiting,
      ];
    },
    after: (delayMs, run) => {
      const timer = setTimeout(run, delayMs);
      return () => clearTimeout(timer);
    },
  });
  const isReady = () => readiness.unreadyParts().length === 0;
  metrics.watch({ ...checks, ...upkeep, db, hasher, mint, isReady, version: manifest.version });
  let doors: Doors | undefined;
  const closeParts = async (timeoutMs: number) => {
    await doors?.close(timeoutMs);
    readiness.stop();
    await mint.close();
    for (const keySet of keySets.values()) keySet.close();
    login.stop();
    signing.ring.stop();
    upkeep.stop();
    await events.stop();
    await checks.stop();
    await db.close(1_000);
    await tracing?.close(TRACES_MS_MAX);
  };
  try {
    doors = await openDoors({ config, kernel, metrics, readiness, wellKnown: signing.wellKnown, log });
    // No call is taken under a login that is known to be unfit, nor before tokens can be signed; a database that is away
    // is no reason not to start.
    const known = Promise.race([Promise.all([fit, signing.loaded, readiness.looked]), unfit]);
    await Promise.race([known, delay(KNOWN_WITHIN_MS, undefined, { ref: false })]);
    if ((login.excessive()?.length ?? 0) > 0) throw new Error("take a login that is made for servers");
    const addresses = await doors.openToCallers();
    signing.opened(`${config.tls.http === undefined ? "http" : "https"}://${addresses.http}`);
    for (const keySet of keySets.values()) keySet.ready().catch(() => {});
    setTimeout(started.resolve, SETTLED_MS).unref();
    return {
      addresses,
      unfit,
      report: async () => ({ unready: readiness.unreadyParts(), metrics: await metrics.snapshot() }),
      async stop(timeoutMs) {
        readiness.drain();
        doors?.windDown();
        await delay(config.drainGraceMs);
        await closeParts(timeoutMs);
      },
    };
  } catch (err) {
    await closeParts(0);
    throw err;
  }
}
