import { loadedArgon2 } from "../auth/argon2-build.ts";
import type { Config } from "../config.ts";
import { addressOf } from "../door/address.ts";
import { type AdminDoorOptions, openAdminDoor } from "../door/admin.ts";
import { opening } from "../door/opening.ts";
import { openTlsOf } from "../doors.ts";
import { addMetrics } from "../observability/added-metrics.ts";
import { createLog, type Log } from "../observability/log.ts";
import { createMetrics } from "../observability/metrics.ts";
import { DRAIN_MS_MAX, destinationOf } from "./serve-surroundings.ts";
import { collectGarbageOfStart } from "./start-garbage.ts";
import type { Terminal } from "./terminal.ts";
import { type Heard, startWorkers, type WorkerPool } from "./worker-pool.ts";

/** What a worker needs beside its calls to end: the last uses, the connections, the last traces. */
const ENDING_MS_MAX = 6_000;

/**
 * Serves by several processes (docs/adr/0022): this one takes no calls. It has the admin door, the embedded database where that
 * is used, and sees to it that the workers are there. Runs and ends as a server that is alone.
 */
export async function serveByWorkers(terminal: Terminal, config: Config): Promise<number> {
  const log = createLog(config.logLevel, await destinationOf(config, terminal));
  const ending = Promise.withResolvers<number>();
  let draining = false;
  let workers: WorkerPool | undefined;
  const drain = (cause: string) => {
    if (draining) return;
    draining = true;
    log.event("info", "draining", { cause });
    ending.resolve(0);
  };
  terminal.onSignal(["SIGTERM", "SIGINT"], (signal) => {
    if (!draining) return drain(signal);
    workers?.kill();
    terminal.exit(1);
  });
  terminal.onParentGone(() => drain("npm has ended"));
  const development = config.production
    ? undefined
    : await (await import("../dev/development.ts")).prepareDevelopment(config);
  void development?.databaseExited.then(() => {
    if (draining) return;
    log.event("fatal", "the embedded database has ended");
    ending.resolve(1);
  });
  const added = addMetrics();
  try {
    workers = startWorkers(config.workers, development?.databaseUrl, log, ({ metrics }) =>
      added.ended(metrics),
    );
    const pool = workers;
    const admin = await openAdmin(config, log, pool, added, () => draining);
    try {
      const addresses = await Promise.race([pool.listening, ending.promise.then(() => undefined)]);
      if (addresses !== undefined) {
        const { workers: count } = config;
        collectGarbageOfStart();
        log.event("info", "listening", {
          ...addresses,
          admin: addressOf(admin),
          argon2: loadedArgon2(),
          workers: count,
        });
        if (development !== undefined) await greet(terminal, config, log, addresses.http);
      }
      const exitCode = await ending.promise;
      const isClean = await pool.drain(config.drainGraceMs + DRAIN_MS_MAX + ENDING_MS_MAX);
      log.event("info", "stopped");
      return isClean ? exitCode : 1;
    } finally {
      pool.kill();
      await admin.close(0);
    }
  } finally {
    await development?.stop();
  }
}

async function greet(terminal: Terminal, config: Config, log: Log, http: string): Promise<void> {
  log.event("warn", "development mode: set NODE_ENV=production to leave it");
  if (config.oidcIssuers.length > 0) return;
  const { firstSteps } = await import("../dev/development.ts");
  terminal.out(await firstSteps(config, http));
}

/** One door for all of them: ready when each worker that listens is. */
async function openAdmin(
  config: Config,
  log: Log,
  pool: WorkerPool,
  added: ReturnType<typeof addMetrics>,
  isDraining: () => boolean,
) {
  const own = createMetrics();
  const options: AdminDoorOptions = {
    host: config.adminHost,
    port: config.adminPort ?? 0,
    tls: await openTlsOf("admin", { config, metrics: own, log }),
    readiness: {
      async unreadyParts() {
        const parts = unreadyPartsOf(await pool.reports());
        return isDraining() ? ["draining", ...parts] : parts;
      },
    },
    metrics: {
      async expose() {
        const snapshots = (await pool.reports()).flatMap(({ last }) =>
          last === undefined ? [] : [last.metrics],
        );
        // Its event loop is not one that calls wait for.
        const ours = (await own.snapshot()).filter(({ name }) => !name.startsWith("nodejs_"));
        return added.expose([...snapshots, ours]);
      },
    },
  };
  return opening("admin", options, () => openAdminDoor(options));
}

/** A worker that ends by itself takes no connection more; the others go on. */
function unreadyPartsOf(heard: readonly Heard[]): readonly string[] {
  const serving = heard.filter(({ last }) => last?.unready.includes("draining") !== true);
  if (serving.length === 0) return ["workers"];
  const parts = serving.flatMap(({ isAnswering, last }) =>
    isAnswering ? (last?.unready ?? []) : ["a worker"],
  );
  return [...new Set(parts)];
}
