import { setTimeout as delay } from "node:timers/promises";
import type { Drill } from "../support/drill.ts";
import { underLoad } from "../support/under-load.ts";

const FOR_MS = { quick: 5_000, full: 60_000 };
const EVERY_MS = 100;

export const drill: Drill = {
  title: "a backend of the server's, any one, is terminated every 100 ms",
  invariants: ["kept", "explained", "gone", "audited", "truthful", "heard", "recovers", "released"],
  bugs: [
    {
      name: "a lost connection that no other one replaces",
      breaks: "recovers",
      file: "src/storage/lane.ts",
      from: "if (!(await isReusable(query, ended, aborted.promise))) renew();",
      to: "if (!(await isReusable(query, ended, aborted.promise))) await new Promise(() => {});",
    },
  ],
  run: (run) =>
    underLoad(run, {}, async ({ world, recovered }) => {
      const until = performance.now() + (run.quick ? FOR_MS.quick : FOR_MS.full);
      let ended = 0;
      while (performance.now() < until) {
        const rows = await world.sql`
          select pg_terminate_backend(pid) from pg_stat_activity
           where application_name = 'keyturn' order by state = 'active' desc, random() limit 1`;
        ended += rows.length;
        await delay(EVERY_MS);
      }
      await recovered();
      return { did: `${ended} backends ended` };
    }),
};
