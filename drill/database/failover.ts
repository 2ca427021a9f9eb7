import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "../../test/support/eventually.ts";
import { startPrimaryAndStandby } from "../../test/support/standby.ts";
import type { Drill } from "../support/drill.ts";
import type { Load } from "../support/load.ts";
import { type Standstill, standstillIn } from "../support/standstill.ts";
import { underLoad } from "../support/under-load.ts";
import type { World } from "../support/world.ts";

const LOAD_MS = { quick: 1_000, full: 20_000 };
/** Calls that have waited in vain for the standby, or, where nobody waits, more than were under way. */
const [FAILED, CREATED] = [3, 20];

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
      file: "src/storage/session-settings.ts",
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
    return underLoad(run, { database }, async ({ world, load, recovered }) => {
      // What is acknowledged has to be at the standby, too. Without it a failover loses what was done last.
      await world.sql`alter system set synchronous_standby_names = '*'`;
      await world.sql`select pg_reload_conf()`;
      await delay(run.quick ? LOAD_MS.quick : LOAD_MS.full);
      const senders = await stopSending(world);
      const [failed, created] = [load.failed(), createdBy(load)];
      await eventually(() => load.failed() >= failed + FAILED || createdBy(load) >= created + CREATED);
      await nodes.killPrimary();
      senders.kill();
      await nodes.promoteStandby();
      await recovered();
      return { did: "one failover" };
    });
  },
};

/** From then on nothing reaches the standby: whatever is acknowledged would be lost. */
async function stopSending(world: World): Promise<Standstill> {
  const rows = await world.sql<{ pid: number }[]>`select pid from pg_stat_replication`;
  const senders = standstillIn(world);
  senders.stop(rows.map(({ pid }) => pid));
  return senders;
}

const createdBy = (load: Load) => load.tally()["created"] ?? 0;
