import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { pidsFrom } from "./processor.ts";

/** A process under measurement. */
export interface Measured {
  readonly pid: number;
  /** The first line of its output that is JSON and fits. */
  line<T>(fits: (line: Record<string, unknown>) => boolean): Promise<T>;
  /** Resolves once the process has ended, to its exit code. */
  readonly exited: Promise<number | null>;
  stop(): Promise<void>;
}

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
  // A run that fails must not leave its servers behind, nor what a server's script has started.
  const endWithUs = () => {
    for (const pid of pidsFrom(child.pid as number)) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended since.
      }
    }
  };
  process.once("exit", endWithUs);
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
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  void exited.then(() => process.off("exit", endWithUs));
  return {
    pid: child.pid as number,
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
