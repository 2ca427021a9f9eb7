import cluster from "node:cluster";
import { loadedArgon2 } from "../auth/argon2-build.ts";
import type { Config } from "../config.ts";
import { keepMemoryOutOfCoreFiles } from "../core-files.ts";
import { createLog } from "../observability/log.ts";
import { DRAIN_MS_MAX, destinationOf, productionFoundations, startServing } from "./serve-surroundings.ts";
import type { Terminal } from "./terminal.ts";

/** Runs until SIGTERM or SIGINT, drains, and gives the exit code. A second signal ends it at once. */
export async function runServe(
  terminal: Terminal,
  options: Readonly<Record<string, string>>,
): Promise<number> {
  const config = terminal.config(1, options);
  if (config.production) keepMemoryOutOfCoreFiles();
  if (config.workers === 1) return serveAlone(terminal, config);
  if (cluster.isWorker) return (await import("./serve-worker.ts")).serveAsWorker(terminal, config);
  return (await import("./serve-primary.ts")).serveByWorkers(terminal, config);
}

async function serveAlone(terminal: Terminal, config: Config): Promise<number> {
  const log = createLog(config.logLevel, await destinationOf(config, terminal));
  const ending = Promise.withResolvers<number>();
  let draining = false;
  const drain = (cause: string) => {
    if (draining) return;
    draining = true;
    log.event("info", "draining", { cause });
    ending.resolve(0);
  };
  terminal.onSignal(["SIGTERM", "SIGINT"], (signal) => (draining ? terminal.exit(1) : drain(signal)));
  terminal.onParentGone(() => drain("npm has ended"));

  const development = config.production
    ? undefined
    : await (await import("../dev/development.ts")).prepareDevelopment(config);
  void development?.databaseExited.then(() => {
    if (draining) return;
    log.event("fatal", "the embedded database has ended");
    ending.resolve(1);
  });
  try {
    const keyturn = await startServing(config, development ?? productionFoundations(config), log);
    log.event("info", "listening", { ...keyturn.addresses, argon2: loadedArgon2() });
    if (development !== undefined) log.event("warn", "development mode: set NODE_ENV=production to leave it");
    if (development !== undefined && config.oidcIssuers.length === 0) {
      const { firstSteps } = await import("../dev/development.ts");
      terminal.out(await firstSteps(config, keyturn.addresses.http));
    }
    void keyturn.unfit.then(() => ending.resolve(1));
    const exitCode = await ending.promise;
    await keyturn.stop(DRAIN_MS_MAX);
    log.event("info", "stopped");
    return exitCode;
  } finally {
    await development?.stop();
  }
}
