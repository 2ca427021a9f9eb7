import { setTimeout as delay } from "node:timers/promises";
import type { Broken, Drill } from "../support/drill.ts";
import { backendsOf, standstillIn } from "../support/standstill.ts";
import { underLoad } from "../support/under-load.ts";

/** Twice as long as a silent database is waited for. */
const DEADLINE_MS = 10_000;
/** At least; until each of those who called before has heard. */
const FROZEN_MS = { quick: 3_000, full: 10_000 };
/** Backends do what they were told before the postmaster passes on that nobody wants it any more. */
const AHEAD_MS = 500;

export const drill: Drill = {
  title: "SIGSTOP to the postmaster and the backends of the server under load",
  invariants: ["kept", "explained", "gone", "audited", "truthful", "heard", "recovers", "released"],
  bugs: [
    {
      name: "a silent database that is waited for until the deadline",
      breaks: "heard",
      file: "src/storage/database.ts",
      from: "const WORK_MS_MAX = 4_000;",
      to: "const WORK_MS_MAX = 3_600_000;",
    },
    {
      name: "a silent database that is told as one which has done nothing",
      breaks: "explained",
      file: "src/storage/call-statement.ts",
      from: "{ inDoubt: true }",
      to: "{ inDoubt: false }",
    },
  ],
  skip: () => (process.platform === "win32" ? "needs the signals of POSIX" : undefined),
  run: (run) =>
    underLoad(run, { timeoutMs: DEADLINE_MS }, async ({ world, load, recovered }) => {
      const frozenMs = run.quick ? FROZEN_MS.quick : FROZEN_MS.full;
      const [postmaster, backends] = [standstillIn(world), standstillIn(world)];
      postmaster.stop([world.cluster.pid()]);
      backends.stop(await backendsOf(world));
      const since = performance.now();
      await load.answered();
      const heardMs = performance.now() - since;
      await delay(Math.max(0, frozenMs - heardMs));
      backends.resume();
      await delay(AHEAD_MS);
      postmaster.resume();
      await recovered();
      const { "DEADLINE_EXCEEDED (in doubt)": late = 0, "DATABASE_UNAVAILABLE (in doubt)": told = 0 } =
        load.tally();
      const broken: Broken[] =
        told > 0 ? [] : [{ invariant: "heard", sentence: `${late} heard by their deadline alone` }];
      const seconds = (Math.max(frozenMs, heardMs) / 1000).toFixed(1);
      return {
        did: `stopped for ${seconds} s`,
        broken,
        figures: `all heard within ${Math.round(heardMs)} ms`,
      };
    }),
};
