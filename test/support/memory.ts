import { readFileSync, writeFileSync } from "node:fs";

const MIB = 1024;

/** The resident memory of a process in MiB: now, and at its highest since the last `forget`. */
export interface Memory {
  now(): number;
  peak(): number;
  forget(): void;
}

/** By what Linux knows of the process; undefined on other systems. */
export function memoryOf(pid: number): Memory | undefined {
  if (process.platform !== "linux") return undefined;
  const read = (name: string) => {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Math.round(Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) / MIB);
  };
  return {
    now: () => read("VmRSS"),
    peak: () => read("VmHWM"),
    // proc_pid_clear_refs(5): 5 sets the peak to what there is now.
    forget: () => writeFileSync(`/proc/${pid}/clear_refs`, "5"),
  };
}
