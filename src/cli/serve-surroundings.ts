import { setFlagsFromString } from "node:v8";
import { type Foundations, type Keyturn, startKeyturn } from "../compose.ts";
import type { Config } from "../config.ts";
import { lowerHashPriority } from "../hash-priority.ts";
import type { Log } from "../observability/log.ts";
import { bufferedOutput, bufferedSharedOutput } from "../observability/log-output.ts";
import { collectGarbageOfStart } from "./start-garbage.ts";
import type { Terminal } from "./terminal.ts";

/** For calls in flight, once no more are taken. */
export const DRAIN_MS_MAX = 8_000;

/**
 * Starts the service in a process that is set up for it. Calls that wait outlive the young generation, and by itself V8 would let
 * the heap grow to three times what is in use before it collects the rest.
 */
export async function startServing(config: Config, foundations: Foundations, log: Log): Promise<Keyturn> {
  setFlagsFromString("--heap-growing-percent=40");
  await lowerHashPriority();
  const keyturn = await startKeyturn(config, foundations, log);
  collectGarbageOfStart();
  return keyturn;
}

/** Complete in production: `readConfig` has seen to that. */
export function productionFoundations(config: Config): Foundations {
  const { databaseUrl, rootKeys } = config;
  if (databaseUrl === undefined || rootKeys === undefined)
    throw new Error("the configuration is not complete");
  return { databaseUrl, rootKeys, keySets: new Map() };
}

/** JSON, or lines for people when a person is likely to read them and the printer is installed. */
export async function destinationOf(config: Config, terminal: Terminal) {
  if (config.production) return config.workers === 1 ? bufferedOutput() : bufferedSharedOutput();
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
