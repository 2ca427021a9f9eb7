import { type Foundations, startKeyturn } from "../compose.ts";
import type { Config } from "../config.ts";
import { lowerHashPriority } from "../hash-priority.ts";
import { bufferedOutput, createLog } from "../observability/log.ts";
import type { Terminal } from "./terminal.ts";

const DRAIN_MS_MAX = 8_000;

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
    await lowerHashPriority();
    const keyturn = await startKeyturn(config, development ?? productionFoundations(config), log);
    log.event("info", "listening", { ...keyturn.addresses });
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

/** Complete in production: `readConfig` has seen to that. */
function productionFoundations(config: Config): Foundations {
  const { databaseUrl, rootKeys } = config;
  if (databaseUrl === undefined || rootKeys === undefined)
    throw new Error("the configuration is not complete");
  return { databaseUrl, rootKeys, keySets: new Map() };
}

/** JSON, or lines for people when a person is likely to read them and the printer is installed. */
async function destinationOf(config: Config, terminal: Terminal) {
  if (config.production) return bufferedOutput();
  if (!terminal.isTerminal) return undefined;
  const pretty = await import("pino-pretty").catch(() => undefined);
  return pretty?.default({
    colorize: true,
    ignore: "service,pid,hostname",
    translateTime: "HH:MM:ss.l",
    // A call is one line for people as well, with what they look for in front.
    singleLine: true,
    messageFormat: "{msg}{if rpc_method} {rpc_method} {code} in {duration_ms} ms{end}{if path} {path}{end}",
    errorLikeObjectKeys: [],
    sync: true,
  });
}
