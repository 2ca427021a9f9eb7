import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A server in a process of its own, as an operator runs it. */
export interface ServerProcess {
  readonly pid: number;
  /** `host:port` of each door. */
  readonly addresses: { readonly grpc: string; readonly http: string; readonly admin: string };
  /** All that it wrote so far, to standard output and to standard error. */
  output(): string;
  isRunning(): boolean;
  /** Resolves when it has ended: its exit code, or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals>;
  /** SIGTERM, then waits for its end. Does nothing once it has ended. */
  stop(): Promise<number | NodeJS.Signals>;
}

/** What production demands, and no cheaper hash. */
const DEMANDED = { KEYTURN_TOKEN_ISSUER: "https://keyturn.example" };
const HASH_COST = { KEYTURN_ARGON2_MEMORY_KIB: "19456", KEYTURN_ARGON2_PASSES: "2" };

/**
 * Starts `keyturn serve` with these variables and nothing else of this process's environment, and waits until it listens.
 * In production hashes cost what is demanded there; in development, where the database's login must be its owner's, what
 * `env` says.
 */
export async function startServer(
  env: Readonly<Record<string, string>>,
  {
    mode = "production",
    root = ROOT,
  }: {
    readonly mode?: "production" | "development";
    /** Of the sources that it runs from, such as a copy with a bug in it. */
    readonly root?: string;
  } = {},
): Promise<ServerProcess> {
  const child = spawn(process.execPath, ["bin/keyturn.mjs", "serve"], {
    cwd: root,
    env:
      mode === "production"
        ? { NODE_ENV: mode, ...DEMANDED, ...env, ...HASH_COST }
        : { NODE_ENV: mode, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  // A test that fails must not leave its server behind.
  const end = () => child.kill("SIGKILL");
  process.once("exit", end);
  child.once("exit", () => process.off("exit", end));
  const written: string[] = [];
  child.stderr.setEncoding("utf8").on("data", (text: string) => written.push(text));
  child.stdout.setEncoding("utf8").on("data", (text: string) => written.push(text));
  const output = () => written.join("");
  const exited = exitOf(child);
  const addresses = await Promise.race([listening(child.stdout), exited.then(() => undefined)]);
  if (addresses === undefined) throw new Error(`the server ended before it listened: ${output()}`);
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  return {
    pid: child.pid as number,
    addresses,
    output,
    isRunning,
    exited,
    stop() {
      if (isRunning()) child.kill("SIGTERM");
      return exited;
    },
  };
}

/** The reading of one metric, the first series of its name; undefined while there is none. */
export async function metricOf(
  server: Pick<ServerProcess, "addresses">,
  name: string,
): Promise<number | undefined> {
  const text = await (await fetch(`http://${server.addresses.admin}/metrics`)).text();
  const value = new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "m").exec(text)?.[1];
  return value === undefined ? undefined : Number(value);
}

async function exitOf(child: ChildProcess): Promise<number | NodeJS.Signals> {
  // After "close" all of its output has arrived.
  const [code, signal] = await once(child, "close");
  return code ?? signal;
}

async function listening(stdout: Readable): Promise<ServerProcess["addresses"] | undefined> {
  const lines = createInterface({ input: stdout });
  try {
    for await (const line of lines) {
      const entry = line.startsWith("{") ? JSON.parse(line) : {};
      if (entry.msg === "listening") return { grpc: entry.grpc, http: entry.http, admin: entry.admin };
    }
    return undefined;
  } finally {
    lines.close();
    // Closing the reader pauses its input; whoever collects the output wants the rest of it too.
    stdout.resume();
  }
}
