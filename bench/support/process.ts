import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

/** A process under measurement. */
export interface Measured {
  readonly pid: number;
  /** CPU seconds of the process so far, all its threads together. */
  cpuSeconds(): number;
  /** The first line of its output that is JSON and fits. */
  line<T>(fits: (line: Record<string, unknown>) => boolean): Promise<T>;
  /** Resolves once the process has ended. */
  readonly exited: Promise<void>;
  stop(): Promise<void>;
}

const CLOCK_TICKS_PER_SECOND = 100;

export function start(
  command: readonly [string, ...string[]],
  env: Readonly<Record<string, string>>,
  cwd?: string,
): Measured {
  const [file, ...args] = command;
  const child: ChildProcess = spawn(file, args, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
    ...(cwd === undefined ? {} : { cwd }),
  });
  const lines: string[] = [];
  const listeners = new Set<(line: string) => void>();
  const output = child.stdout as NodeJS.ReadableStream;
  const reader = createInterface({ input: output }).on("line", (line) => {
    if (lines.length < 100) lines.push(line);
    for (const listener of listeners) listener(line);
  });
  /** What a server logs from then on is thrown away unread: to look at a line a call would be a part of the load. */
  const lookAway = () => {
    reader.close();
    output.resume();
  };
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const pid = child.pid as number;
  return {
    pid,
    cpuSeconds() {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
    },
    line: <T>(fits: (line: Record<string, unknown>) => boolean) =>
      new Promise<T>((resolve, reject) => {
        const look = (line: string) => {
          const json = parsed(line);
          if (json === undefined || !fits(json)) return;
          listeners.delete(look);
          if (listeners.size === 0) lookAway();
          resolve(json as T);
        };
        listeners.add(look);
        for (const line of lines) look(line);
        void exited.then(() => reject(new Error(`${file} ended: ${lines.slice(-3).join(" ")}`)));
      }),
    exited,
    async stop() {
      child.kill("SIGTERM");
      await exited;
    },
  };
}

function parsed(line: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
