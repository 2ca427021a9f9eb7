/** What the kernel has counted (proc(5)): processor time by process, and what the machine does besides. Linux only. */
import { readdirSync, readFileSync } from "node:fs";

const CLOCK_TICKS_PER_SECOND = 100;

interface ProcessTime {
  readonly parent: number;
  readonly seconds: number;
}

/** Every process, with what it has used itself and what those of its children used that have ended. */
function processTimes(): Map<number, ProcessTime> {
  const times = new Map<number, ProcessTime>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
      times.set(Number(name), { parent: Number(fields[1]), seconds: ticks / CLOCK_TICKS_PER_SECOND });
    } catch {
      // It has ended since.
    }
  }
  return times;
}

/** A process, if it is there, and all below it, such as the workers of a server and the backends of PostgreSQL. */
export const pidsFrom = (root: number): readonly number[] => [...timesFrom(root).keys()];

/** Processor seconds so far of a process and all below it. */
export const cpuSecondsOf = (root: number): number =>
  [...timesFrom(root).values()].reduce((sum, { seconds }) => sum + seconds, 0);

function timesFrom(root: number): Map<number, ProcessTime> {
  const times = processTimes();
  const isFrom = (pid: number): boolean => {
    for (let at = pid; at > 1; at = times.get(at)?.parent ?? 0) if (at === root) return true;
    return false;
  };
  return new Map([...times].filter(([pid]) => isFrom(pid)));
}

/** Processor seconds so far of this process and of those that it started and has seen end: the load, pgbench among it. */
export function cpuSecondsOfLoad(): number {
  return processTimes().get(process.pid)?.seconds ?? 0;
}

/** Processor seconds of the whole machine so far. */
export interface MachineTime {
  readonly all: number;
  readonly busy: number;
  /** Taken by other guests of the same host. */
  readonly stolen: number;
  /** Of this process and all below it. */
  readonly ours: number;
}

export function machineTime(): MachineTime {
  const line = readFileSync("/proc/stat", "utf8").split("\n")[0] ?? "";
  const ticks = line.trim().split(/\s+/).slice(1, 9).map(Number);
  const [user = 0, nice = 0, system = 0, idle = 0, ioWait = 0, interrupts = 0, soft = 0, stolen = 0] = ticks;
  const busy = user + nice + system + interrupts + soft;
  const seconds = (count: number) => count / CLOCK_TICKS_PER_SECOND;
  return {
    all: seconds(busy + idle + ioWait + stolen),
    busy: seconds(busy),
    stolen: seconds(stolen),
    ours: cpuSecondsOf(process.pid),
  };
}

/** The share of the machine, between two readings, that went to others than this run, the host's other guests among them. */
export function shareOfOthers(from: MachineTime, to: MachineTime): number {
  const others = to.busy - from.busy - (to.ours - from.ours) + (to.stolen - from.stolen);
  return Math.max(0, others) / Math.max(0.01, to.all - from.all);
}
