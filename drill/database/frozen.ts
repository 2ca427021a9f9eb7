import { setTimeout as delay } from "node:timers/promises";
import type { Broken, Drill } from "../support/drill.ts";
import { startLoad } from "../support/load.ts";
import { openRpc } from "../support/rpc.ts";
import { givenWorld } from "../support/world.ts";

const FROZEN_MS = { quick: 3_000, full: 10_000 };
/** The promise is two seconds; what is more than this is no matter of a slow machine. */
const RECOVERY_MS_MAX = 15_000;

export const drill: Drill = {
  title: "SIGSTOP to the postmaster and the backends of the server under a load of creates and checks",
  invariants: ["kept", "explained", "audited", "truthful", "recovers"],
  bugs: [],
  skip: () => (process.platform === "win32" ? "needs the signals of POSIX" : undefined),
  async run(run) {
    await using world = await givenWorld(run);
    const server = await world.serve();
    const rpc = openRpc(server.addresses.grpc);
    world.later(rpc.close);
    const load = startLoad(world, rpc, await world.accounts(200));
    world.later(load.stop);
    await load.recovery();
    const frozenMs = run.quick ? FROZEN_MS.quick : FROZEN_MS.full;
    const rows = await world.sql<{ pid: number }[]>`
      select pid from pg_stat_activity where application_name = 'keyturn'`;
    const stopped = [world.cluster.pid(), ...rows.map(({ pid }) => pid)];
    const resume = () => {
      for (const pid of stopped.splice(0)) process.kill(pid, "SIGCONT");
    };
    world.later(resume);
    for (const pid of stopped) process.kill(pid, "SIGSTOP");
    await delay(frozenMs);
    resume();
    const worstRecoveryMs = await load.recovery();
    await load.stop();
    const { lost, broken } = await load.judge();
    const late: Broken[] =
      worstRecoveryMs < RECOVERY_MS_MAX
        ? []
        : [{ invariant: "recovers", sentence: `it took ${Math.round(worstRecoveryMs)} ms` }];
    return {
      did: `stopped for ${frozenMs / 1000} s`,
      lost,
      worstRecoveryMs,
      broken: [...broken, ...late],
      figures: Object.entries(load.tally())
        .map(([word, count]) => `${word} ${count}`)
        .join(", "),
    };
  },
};
