import { setTimeout as delay } from "node:timers/promises";
import { startPrimaryAndStandby } from "../../test/support/standby.ts";
import type { Drill } from "../support/drill.ts";
import { underLoad } from "../support/under-load.ts";

const LOAD_MS = { quick: 1_000, full: 20_000 };

export const drill: Drill = {
  title: "SIGKILL to a primary under load, and its streaming standby is promoted; the server knows both",
  invariants: ["kept", "explained", "gone", "audited", "truthful", "heard", "recovers", "released"],
  bugs: [
    {
      name: "a server that knows one of its hosts only",
      breaks: "recovers",
      file: "src/storage/lane.ts",
      from: "sql: postgres(options.url, {",
      to: 'sql: postgres(options.url.replace(/@[^,]*,/, "@"), {',
    },
    {
      name: "answers that do not wait for the standby",
      breaks: "kept",
      file: "src/storage/lane.ts",
      from: 'application_name: "keyturn",',
      to: 'application_name: "keyturn", synchronous_commit: "off",',
    },
  ],
  skip: () => (process.platform === "win32" ? "needs cp and the signals of POSIX" : undefined),
  async run(run) {
    const nodes = await startPrimaryAndStandby();
    const database = {
      serverUrl: nodes.serverUrl("read-write", "standby"),
      connect: nodes.connectToPrimary,
      stop: nodes.stop,
    };
    return underLoad(run, { database }, async ({ world, recovered }) => {
      // What is acknowledged has to be at the standby, too. Without it a failover loses what was done last.
      await world.sql`alter system set synchronous_standby_names = '*'`;
      // Whoever does not wait for that loses more.
      await world.sql`alter system set wal_writer_delay = '2s'`;
      await world.sql`select pg_reload_conf()`;
      await delay(run.quick ? LOAD_MS.quick : LOAD_MS.full);
      await nodes.killPrimary();
      await nodes.promoteStandby();
      await recovered();
      return { did: "one failover" };
    });
  },
};
