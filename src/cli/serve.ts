import { type Foundations, type Keyturn, startKeyturn } from "../compose.ts";
import type { Config } from "../config.ts";
import { createLog, type Log } from "../observability/log.ts";
import { excessiveRights } from "../storage/readiness.ts";
import type { Terminal } from "./program.ts";

const DRAIN_MS_MAX = 8_000;
const RIGHTS_CHECK_INTERVAL_MS = 500;

/** Runs until SIGTERM or SIGINT, drains, and gives the exit code. A second signal ends it at once. */
export async function runServe(terminal: Terminal): Promise<number> {
  const config = terminal.config();
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
    const keyturn = await startKeyturn(config, development ?? productionFoundations(config), log);
    log.event("info", "listening", keyturn.addresses);
    if (development !== undefined && config.oidcIssuers.length === 0) {
      const { firstSteps } = await import("../dev/development.ts");
      terminal.out(await firstSteps(config, keyturn.addresses.http));
    }
    refuseExcessiveRights(keyturn, log, ending.resolve);
    const exitCode = await ending.promise;
    await keyturn.stop(DRAIN_MS_MAX);
    log.event("info", "stopped");
    return exitCode;
  } finally {
    await development?.stop();
  }
}

/** Complete in production: `readConfig` has seen to that. */
function productionFoundations(config: Config): Foundations {
  const { databaseUrl, rootKeys } = config;
  if (databaseUrl === undefined || rootKeys === undefined)
    throw new Error("the configuration is not complete");
  return { databaseUrl, rootKeys, keySets: new Map() };
}

/**
 * The functions keep their promises whoever calls, but a login that may write tables, read other roles' rows or switch
 * triggers off could go around them. Asked again until the database can be asked.
 */
function refuseExcessiveRights(keyturn: Keyturn, log: Log, end: (exitCode: number) => void): void {
  const check = async () => {
    try {
      const rights = await excessiveRights(keyturn.db, AbortSignal.timeout(2_000));
      if (rights.length === 0) return;
      log.event("fatal", "the database login has rights that a server must not have", { rights });
      end(1);
    } catch {
      setTimeout(check, RIGHTS_CHECK_INTERVAL_MS).unref();
    }
  };
  void check();
}

/** JSON, or lines for people when a person is likely to read them and the printer is installed. */
async function destinationOf(config: Config, terminal: Terminal) {
  if (config.production || !terminal.isTerminal) return undefined;
  const pretty = await import("pino-pretty").catch(() => undefined);
  return pretty?.default({
    colorize: true,
    ignore: "service,pid,hostname",
    translateTime: "HH:MM:ss.l",
    sync: true,
  });
}
