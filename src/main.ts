import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { text as readAll } from "node:stream/consumers";
import { isatty } from "node:tty";
import { EXIT } from "./cli/exit-code.ts";
import { createProgram } from "./cli/program.ts";
import { isDiscarded, OutputError, writeWhole } from "./cli/standard-output.ts";
import { isProduction, readConfig } from "./config.ts";
import { readDatabaseUrl, readRootKeys } from "./config-commands.ts";
import { defectFields } from "./observability/log.ts";

/** The process: the one file that reads the environment and the arguments, and the one that ends it. */
function orExit<T extends object>(result: T | { readonly mistakes: readonly string[] }, exitCode = 1): T {
  if (!("mistakes" in result)) return result;
  for (const mistake of result.mistakes) process.stderr.write(`keyturn: ${mistake}\n`);
  process.exit(exitCode);
}

const deps = { readFile: (path: string) => readFileSync(path, "utf8"), cores: availableParallelism() };
/**
 * npm passes a signal on to the shell between it and us, which ends without passing it on: a server that was started by
 * `npm start` would outlive it. So whoever npm starts ends with that shell.
 */
function watchParent(end: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    end();
  }, PARENT_CHECK_INTERVAL_MS).unref();
}

const PARENT_CHECK_INTERVAL_MS = 250;
const [STDIN, STDOUT, STDERR] = [0, 1, 2];

/** What cannot be said there can be said nowhere: the exit code has to do. */
function sayError(text: string): void {
  try {
    writeWhole(STDERR, text);
  } catch (err) {
    if (!(err instanceof OutputError)) throw err;
  }
}

// grpc-js gives an IP address as the server name of TLS, of which Node warns at each run. Such warnings are for whoever writes
// a program, and he sees them in a server.
if (process.argv[2] !== "serve") Object.assign(process, { noDeprecation: true });

const program = createProgram({
  production: isProduction(process.env),
  config: (exitCode, options = {}) =>
    orExit(readConfig({ ...process.env, ...options }, deps), exitCode).config,
  databaseUrl: (exitCode) => orExit(readDatabaseUrl(process.env), exitCode).databaseUrl,
  rootKeys: (exitCode) => orExit(readRootKeys(process.env, deps), exitCode).rootKeys,
  env: process.env,
  out: (text) => writeWhole(STDOUT, text),
  err: sayError,
  isOutDiscarded: () => isDiscarded(STDOUT),
  readInput: () => readAll(process.stdin),
  isTerminal: isatty(STDOUT),
  isErrTerminal: isatty(STDERR),
  isInputTerminal: isatty(STDIN),
  exit: (code) => process.exit(code),
  onSignal: (signals, handler) => {
    for (const signal of signals) process.on(signal, () => handler(signal));
  },
  onParentGone: (handler) => {
    if (process.env["npm_lifecycle_event"] !== undefined) watchParent(handler);
  },
});

// Not the message: what a driver throws may quote a row. The exit hook of the embedded database still runs.
for (const event of ["uncaughtException", "unhandledRejection"] as const) {
  process.on(event, (err: unknown) => {
    process.stderr.write(`${JSON.stringify({ event, ...defectFields(err) })}\n`);
    process.exit(1);
  });
}

try {
  process.exitCode = await program(process.argv);
} catch (err) {
  sayError(`keyturn: ${err instanceof Error ? err.message : String(err)}\n`);
  process.exitCode = err instanceof OutputError ? EXIT.unknown : EXIT.no;
}
// Whatever still holds the event loop (a socket to a silent peer) must not keep an ended service alive.
process.exit();
