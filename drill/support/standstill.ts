import type { World } from "./world.ts";

/** Processes that are stopped, each wherever it is. They go on at the end of the world at the latest: until then nobody can end them. */
export interface Standstill {
  stop(pids: readonly number[]): void;
  /** SIGKILL to all that stand still, or to so many of them. */
  kill(count?: number): void;
  resume(): void;
}

export function standstillIn(world: World): Standstill {
  const stopped: number[] = [];
  const resume = () => signalAll(stopped.splice(0), "SIGCONT");
  world.later(resume);
  process.once("exit", resume);
  return {
    stop(pids) {
      stopped.push(...pids);
      signalAll(pids, "SIGSTOP");
    },
    kill: (count = stopped.length) => signalAll(stopped.splice(0, count), "SIGKILL"),
    resume,
  };
}

/** Some may have ended meanwhile. */
function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {}
  }
}

/** The backends of the servers. */
export async function backendsOf({ sql }: World): Promise<number[]> {
  const rows = await sql<{ pid: number }[]>`
    select pid from pg_stat_activity where application_name = 'keyturn'`;
  return rows.map(({ pid }) => pid);
}
