import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const COMMAND_MS_MAX = 90_000;
export const COMMAND = fileURLToPath(new URL("../../bin/keyturn.mjs", import.meta.url));

/** What is to be done at the end of a test or a file, the newest first. */
export interface Scope {
  after(ending: () => unknown): void;
}

export function scopeOf(context: { after(ending: () => Promise<void>): void }): Scope {
  const endings: (() => unknown)[] = [];
  context.after(async () => {
    for (const ending of endings.toReversed()) await ending();
  });
  return { after: (ending) => void endings.push(ending) };
}

/** `keyturn …` in a process of its own, with the variables that it is given and no others. */
export interface Command {
  readonly pid: number;
  out(): string;
  err(): string;
  /** The next line of standard output, from its beginning on, that `wanted` finds something in. */
  lineWith<T>(wanted: (line: string) => T | undefined): Promise<T>;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when it has ended and all of its output is there: its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
}

export interface CommandOptions {
  /** What runs; default: this Node, with these options of its own. */
  readonly program?: readonly string[];
  readonly nodeOptions?: readonly string[];
  /** Default: `serve`. */
  readonly serveArgs?: readonly string[];
}

type Env = Readonly<Record<string, string>>;

export function startCommand(
  scope: Scope,
  args: readonly string[],
  env: Env,
  options: CommandOptions = {},
): Command {
  const { program = [process.execPath, ...(options.nodeOptions ?? []), COMMAND] } = options;
  const [file = "", ...rest] = [...program, ...args];
  const child = spawn(file, rest, {
    cwd: ROOT,
    env,
    stdio: ["ignore", "pipe", "pipe"],
    // One that does not end when it should fails its test, and not the whole run.
    timeout: COMMAND_MS_MAX,
    killSignal: "SIGKILL",
  });
  const ended = once(child, "close").then(([code, signal]) => code ?? signal);
  scope.after(() => {
    child.kill("SIGKILL");
    // A process that it has started may hold its output open for ever.
    child.stdout.destroy();
    child.stderr.destroy();
    return ended;
  });
  const [out, err] = [createInterface({ input: child.stdout }), createInterface({ input: child.stderr })];
  const outLines: string[] = [];
  const errLines: string[] = [];
  out.on("line", (line) => outLines.push(line));
  err.on("line", (line) => errLines.push(line));
  return {
    pid: child.pid as number,
    out: () => outLines.join("\n"),
    err: () => errLines.join("\n"),
    lineWith: async (wanted) => {
      const found = await lineWith(out, outLines, wanted);
      if (found !== undefined) return found;
      throw new Error(`it ended without that line: ${[...outLines, ...errLines].join("\n")}`);
    },
    kill: (signal) => void child.kill(signal),
    ended,
  };
}

/** Runs a command to its end. */
export async function runCommand(scope: Scope, args: readonly string[], env: Env, options?: CommandOptions) {
  const command = startCommand(scope, args, env, options);
  const status = await command.ended;
  return { status, out: command.out(), err: command.err() };
}

/** Undefined when the output has ended without such a line. */
async function lineWith<T>(
  reader: Interface,
  lines: readonly string[],
  wanted: (line: string) => T | undefined,
): Promise<T | undefined> {
  const closed = once(reader, "close").then(() => true);
  for (let index = 0; ; index += 1) {
    let isClosed = false;
    while (index >= lines.length && !isClosed) {
      isClosed = await Promise.race([closed, once(reader, "line").then(() => false)]);
    }
    const line = lines[index];
    const found = line === undefined ? undefined : wanted(line);
    if (found !== undefined || line === undefined) return found;
  }
}

export interface Addresses {
  readonly grpc: string;
  readonly http: string;
  readonly admin: string;
}

/** A server of the development kind on a data folder, on free ports. */
export async function startDevelopment(
  scope: Scope,
  dataDir: string,
  env: Env = {},
  options: CommandOptions = {},
) {
  const command = startCommand(
    scope,
    options.serveArgs ?? ["serve"],
    { ...developmentEnv(dataDir), ...env },
    options,
  );
  const addresses = await command.lineWith((line): Addresses | undefined => {
    const entry = line.startsWith("{") ? JSON.parse(line) : {};
    return entry.msg === "listening" ? entry : undefined;
  });
  return { ...command, addresses };
}

export function developmentEnv(dataDir: string): Env {
  return {
    KEYTURN_DATA_DIR: dataDir,
    KEYTURN_GRPC_PORT: "0",
    KEYTURN_HTTP_PORT: "0",
    KEYTURN_ADMIN_PORT: "0",
    KEYTURN_ARGON2_MEMORY_KIB: "64",
    KEYTURN_ARGON2_PASSES: "1",
  };
}

/** POSTs a create to a server as the seed's curl does, and answers the status and the JSON. */
export async function create(http: string, serviceAccountId: string, token: string) {
  const path = `/v1/regions/global/iam/service-accounts/${serviceAccountId}/credentials`;
  const res = await fetch(`http://${http}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: "{}",
  });
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came back
  return { status: res.status, body: (await res.json()) as any };
}
