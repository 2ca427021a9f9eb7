import { eventually } from "../../test/support/eventually.ts";
import type { ServerProcess } from "../../test/support/process.ts";
import type { Broken, Drill } from "../support/drill.ts";
import { drainFaults, fleetUnderLoad } from "../support/fleet.ts";

const TERMS = { quick: 2, full: 20 };
/** Of what they can do. */
const PART = 0.7;
/** A start takes a core for seconds, and then 70 % of two are more than there is. */
const DEFERRED_ONE_IN = 4;
/** The promise is ten seconds; what is more than this is no matter of a slow machine. */
const END_MS_MAX = 30_000;

export const drill: Drill = {
  title: "SIGTERM to one of two servers at 70 % of what they can do, and a second SIGTERM to one that drains",
  invariants: ["kept", "explained", "gone", "audited", "truthful", "heard", "drains"],
  bugs: [
    {
      name: "a second SIGTERM that nobody hears",
      breaks: "drains",
      file: "src/cli/serve.ts",
      from: "(draining ? terminal.exit(1) : drain(signal))",
      to: "drain(signal)",
    },
  ],
  skip: () => (process.platform === "win32" ? "needs the signals of POSIX" : undefined),
  async run(run) {
    return fleetUnderLoad(run, 2, async ({ restart, servers }, { load }) => {
      const ends: (number | NodeJS.Signals)[] = [];
      let worstMs = 0;
      const perSecond = await load.openLoop(PART);
      const terms = run.quick ? TERMS.quick : TERMS.full;
      for (let term = 0; term < terms; term += 1) {
        const since = performance.now();
        const index = term % 2;
        void servers()[index]?.exited.then(() => (worstMs = Math.max(worstMs, performance.now() - since)));
        ends.push(await restart(index));
      }
      const broken = await drainFaults(load, ends, DEFERRED_ONE_IN);
      if (worstMs > END_MS_MAX)
        broken.push({ invariant: "drains", sentence: `it took ${Math.round(worstMs)} ms to end` });
      broken.push(...(await endTwice(servers()[0] as ServerProcess)));
      return {
        did: `${terms} SIGTERM, and one twice`,
        broken,
        figures: `${Math.round(perSecond)} calls a second, ended in ${Math.round(worstMs)} ms`,
      };
    });
  },
};

/** Whoever asks twice wants it at once, and hears that it was not done well. */
async function endTwice(server: ServerProcess): Promise<Broken[]> {
  process.kill(server.pid, "SIGTERM");
  await eventually(() => server.output().includes('"msg":"draining"'));
  process.kill(server.pid, "SIGTERM");
  const ended = await server.exited;
  return ended === 1 ? [] : [{ invariant: "drains", sentence: `a second SIGTERM ended it with ${ended}` }];
}
