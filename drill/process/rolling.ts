import type { Drill } from "../support/drill.ts";
import { drainFaults, fleetUnderLoad } from "../support/fleet.ts";

const REPLICAS = 3;
const ROUNDS = { quick: 1, full: 5 };

export const drill: Drill = {
  title: "three replicas are restarted one after another",
  invariants: ["kept", "explained", "gone", "audited", "truthful", "heard", "drains"],
  bugs: [
    {
      name: "a server that waits for no call in flight",
      breaks: "drains",
      file: "src/cli/serve.ts",
      from: "await keyturn.stop(DRAIN_MS_MAX);",
      to: "void keyturn.stop; process.exit(0);",
    },
    {
      name: "a server that ends well and says otherwise",
      breaks: "drains",
      file: "src/cli/serve.ts",
      from: "ending.resolve(0);",
      to: "ending.resolve(1);",
    },
  ],
  skip: () => (process.platform === "win32" ? "needs the signals of POSIX" : undefined),
  async run(run) {
    return fleetUnderLoad(run, REPLICAS, async ({ restart }, { load }) => {
      const ends: (number | NodeJS.Signals)[] = [];
      const rounds = run.quick ? ROUNDS.quick : ROUNDS.full;
      for (let round = 0; round < rounds; round += 1)
        for (let index = 0; index < REPLICAS; index += 1) ends.push(await restart(index));
      return { did: `${ends.length} restarts`, broken: await drainFaults(load, ends) };
    });
  },
};
