/** One run of the PostgreSQL server: its process, its log, its first answer and its end. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, rmSync, statSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import postgres from "postgres";
import type { PostgresBinaries } from "./postgres-binaries.ts";
import { type PostgresFolder, runAs } from "./postgres-folder.ts";
import { SHUTDOWN } from "./postgres-owner.ts";

/** The only address the server listens on. */
export const HOST = "127.0.0.1";

export interface Postmaster {
  readonly pid: number;
  readonly port: number;
  /** The exit code, or null after a signal. */
  readonly exited: Promise<number | null>;
  /** The newest lines of the log. */
  recentLog(): string;
  /** Ends the server by `SHUTDOWN`; does nothing once it has ended. */
  stop(): Promise<void>;
}

const PROBE_DELAY_MS = 25;
const RECENT_LINES_MAX = 20;
const LOG_BYTES_MAX = 10 * 1024 * 1024;
const LOG_DRAIN_MS = 1_000;

/** For a development machine. Statements and their parameters stay out of the log: they carry secrets. */
const DEFAULT_SETTINGS = {
  shared_buffers: "64MB",
  max_connections: "100",
  fsync: "on",
  jit: "off",
  timezone: "UTC",
  log_timezone: "UTC",
  log_statement: "none",
  log_parameter_max_length: "0",
  log_parameter_max_length_on_error: "0",
};

/** Starts the server in a session of its own, so that Ctrl-C in a terminal reaches the application and not its database. */
export async function spawnPostmaster(options: {
  folder: PostgresFolder;
  binaries: PostgresBinaries;
  port: number;
  settings: Readonly<Record<string, string>> | undefined;
  logLine: (line: string) => void;
}): Promise<Postmaster> {
  const { folder, binaries, port } = options;
  const privacy = { listen_addresses: HOST, port: String(port), unix_socket_directories: "" };
  const logging = { log_destination: "stderr", logging_collector: "off" };
  const settings = Object.entries({ ...DEFAULT_SETTINGS, ...options.settings, ...privacy, ...logging });
  const args = ["-D", folder.location, ...settings.flatMap(([name, value]) => ["-c", `${name}=${value}`])];
  const child = spawn(binaries.postgres, args, {
    ...folder.account,
    cwd: folder.location,
    // Nothing of our environment: it may hold secrets, and PG* variables would steer the server.
    env: { LC_ALL: "C" },
    detached: true,
    windowsHide: true,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const recent: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => {
    if (recent.push(line) > RECENT_LINES_MAX) recent.shift();
    options.logLine(line);
  });
  await once(child, "spawn");
  const exited = exitOf(child, child.stderr);
  const pid = child.pid as number;
  // Whatever ends this process, short of SIGKILL, ends its server as well.
  const endWithUs = () => void child.kill("SIGINT");
  process.once("exit", endWithUs);
  void exited.then(() => process.off("exit", endWithUs));
  return { pid, port, exited, recentLog: () => recent.join("\n"), stop: () => stop(child, exited, binaries) };
}

/** Resolves once the server has answered a query; to the reason when it ended or the time ran out before. */
export async function waitUntilReady(
  postmaster: Postmaster,
  { password, timeoutMs }: { password: string; timeoutMs: number },
): Promise<string | undefined> {
  const ended = postmaster.exited.then(() => "ended" as const);
  const timeoutEnd = performance.now() + timeoutMs;
  for (;;) {
    const failure = await Promise.race([ended, connectionFailure(postmaster.port, password)]);
    if (failure === "ended") return postmaster.recentLog();
    if (failure === undefined) return undefined;
    // 28P01: the server is there and knows another password; waiting does not change that.
    if (failure.code === "28P01" || performance.now() > timeoutEnd) return failure.message;
    await Promise.race([ended, delay(PROBE_DELAY_MS)]);
  }
}

/** A port of 127.0.0.1 that was free a moment ago. Somebody may take it before the server does. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, HOST);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Appends lines to a file that only its owner may read, and begins anew when it has grown large. */
export function logToFile(path: string): (line: string) => void {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > LOG_BYTES_MAX) rmSync(path);
  return (line) => {
    try {
      appendFileSync(path, `${line}\n`, { mode: 0o600 });
    } catch {
      // A full disk must not end the application.
    }
  };
}

async function connectionFailure(
  port: number,
  password: string,
): Promise<{ code?: string; message: string } | undefined> {
  const sql = postgres({
    host: HOST,
    port,
    user: "postgres",
    password,
    database: "postgres",
    ssl: false,
    max: 1,
    connect_timeout: 5,
    fetch_types: false,
  });
  try {
    await sql`select 1`;
    return undefined;
  } catch (err) {
    return err as Error;
  } finally {
    await sql.end({ timeout: 0 });
  }
}

async function exitOf(child: ChildProcess, log: Readable): Promise<number | null> {
  // A signal that could not be sent: `stop` sees that the server goes on, and tries the next.
  child.on("error", () => {});
  const closed = new Promise((resolve) => child.once("close", resolve));
  const code = await new Promise<number | null>((resolve) => child.once("exit", resolve));
  // Backends that outlive a killed postmaster hold its log open; they must not hold this process too.
  await isSettledWithin(closed, LOG_DRAIN_MS);
  log.destroy();
  return code;
}

async function stop(
  child: ChildProcess,
  exited: Promise<unknown>,
  binaries: PostgresBinaries,
): Promise<void> {
  for (const { signal, patienceMs } of SHUTDOWN) {
    if (child.exitCode !== null || child.signalCode !== null) break;
    if (process.platform === "win32" && signal !== "SIGKILL") {
      // Windows has no such signals; PostgreSQL brings its own.
      await runAs(undefined, binaries.pgCtl, ["kill", signal.slice(3), String(child.pid)]).catch(() => {});
    } else {
      child.kill(signal);
    }
    if (await isSettledWithin(exited, patienceMs)) return;
  }
  if (child.exitCode === null && child.signalCode === null) {
    throw new Error(`PostgreSQL (pid ${child.pid}) does not end.`);
  }
  await exited;
}

async function isSettledWithin(promise: Promise<unknown>, patienceMs: number): Promise<boolean> {
  const timer = new AbortController();
  const patience = delay(patienceMs, false, { signal: timer.signal }).catch(() => false);
  try {
    return await Promise.race([promise.then(() => true), patience]);
  } finally {
    timer.abort();
  }
}
