import { existsSync, readFileSync, renameSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { Bench } from "./bench.ts";
import { pidsFrom } from "./processor.ts";
import { profilePathOf } from "./profile-path.ts";
import { summarizeProfile, summaryText } from "./profile-summary.ts";
import type { Target } from "./target.ts";
import { type Contender, figure, type Length, measure, warmUp } from "./turns.ts";

const PRELOAD = new URL("./profiled.ts", import.meta.url).href;
const WRITE_MS_MAX = 30_000;

/**
 * Runs those contenders of a target whose server is ours under V8's profiler, each for one round once it is warm, and nothing
 * else of the target. Of several workers the first one is looked at, of each process the main thread.
 * @param onProfile is told of each: where its profile is kept, and what it says in words.
 */
export async function profileTarget(
  target: Target,
  bench: Bench,
  length: Length,
  onProfile: (text: string) => void,
): Promise<void> {
  const pids = new Set<number>();
  const contenders = await contendersOf(target, {
    ...bench,
    async serve(database, env = {}) {
      const server = await bench.serve(database, { ...env, NODE_OPTIONS: `--import=${PRELOAD}` });
      pids.add(server.pid);
      return server;
    },
  });
  const ours = Object.entries(contenders).filter(([, { serverPid }]) => pids.has(serverPid ?? 0));
  if (ours.length === 0) onProfile("no server of ours takes turns in it\n\n");
  for (const [name, contender] of ours) {
    const serverPid = contender.serverPid as number;
    await warmUp(contender, length.warmUpMsMax);
    const pid = pidsFrom(serverPid).find((below) => below !== serverPid) ?? serverPid;
    process.kill(pid, "SIGUSR2");
    const { answers, cpuMs } = await measure(contender, length);
    process.kill(pid, "SIGUSR2");
    const path = await kept(pid, `${target.number}-${name}`);
    const summary = summaryText(summarizeProfile(JSON.parse(readFileSync(path, "utf8"))));
    onProfile(
      `${path}: ${contender.name}, ${answers} answers, ${figure(cpuMs.server)} ms of the server each\n\n${summary}\n`,
    );
  }
}

/** What a target would let take turns; nothing where it measures in another way. Its servers run until the target is ended; it never hears of a result. */
function contendersOf(target: Target, bench: Bench): Promise<Readonly<Record<string, Contender>>> {
  return new Promise((resolve, reject) => {
    const takeTurns: Bench["takeTurns"] = (contenders) => {
      resolve(contenders);
      return new Promise<never>(() => {});
    };
    target.run({ ...bench, takeTurns }).then(() => resolve({}), reject);
  });
}

/** Waits until a process has written its profile, and gives that its name. */
async function kept(pid: number, name: string): Promise<string> {
  const until = performance.now() + WRITE_MS_MAX;
  while (!existsSync(profilePathOf(pid))) {
    if (performance.now() > until) throw new Error(`process ${pid} has written no profile`);
    await delay(50);
  }
  renameSync(profilePathOf(pid), profilePathOf(name));
  return profilePathOf(name);
}
