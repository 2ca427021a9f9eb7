import { setTimeout as delay } from "node:timers/promises";
import type { Broken, Drill } from "../support/drill.ts";
import { startLoad } from "../support/load.ts";
import { openRpc } from "../support/rpc.ts";
import { givenWorld } from "../support/world.ts";

const KILLS = { quick: 2, full: 20 };
/** The promise is two seconds; what is more than this is no matter of a slow machine. */
const RECOVERY_MS_MAX = 15_000;
const CREATE = "src/storage/functions/create_credential.sql";
const RECORD =
  "  perform record_outcome(p_caller, locked.account, p_service_account_id, facts #>> '{credential,id}',";

export const drill: Drill = {
  title: "SIGKILL to the postmaster and its backends under a load of creates and checks",
  invariants: ["kept", "explained", "audited", "truthful", "recovers"],
  bugs: [
    {
      name: "a create without its audit row",
      breaks: "audited",
      file: CREATE,
      from: RECORD,
      to: `  if outcome = 'done' then return; end if;\n${RECORD}`,
    },
    {
      name: "a create that is acknowledged and undone",
      breaks: "kept",
      file: CREATE,
      from: RECORD,
      to: `  delete from credentials where id = facts #>> '{credential,id}';\n${RECORD}`,
    },
    {
      name: "a lost connection that is told as a defect",
      breaks: "truthful",
      file: "src/storage/failure.ts",
      from: 'return unavailable("database", RETRY_DELAY_MS, { inDoubt: true, cause: err });',
      to: 'return new FaultError({ kind: "internal" }, { cause: err });',
    },
  ],
  skip: () => (process.platform === "win32" ? "needs the signals of POSIX" : undefined),
  async run(run) {
    await using world = await givenWorld(run);
    const server = await world.serve();
    const rpc = openRpc(server.addresses.grpc);
    world.later(rpc.close);
    const load = startLoad(world, rpc, await world.accounts(200));
    world.later(load.stop);
    const recoveries: number[] = [];
    const kills = run.quick ? KILLS.quick : KILLS.full;
    for (let kill = 0; kill < kills; kill += 1) {
      await load.recovery();
      await delay(Math.random() * 1_000);
      await world.cluster.kill();
      await world.cluster.restart();
      recoveries.push(await load.recovery());
    }
    await load.stop();
    const { lost, broken } = await load.judge();
    const worstRecoveryMs = Math.max(...recoveries);
    const late: Broken[] =
      worstRecoveryMs < RECOVERY_MS_MAX
        ? []
        : [{ invariant: "recovers", sentence: `it took ${Math.round(worstRecoveryMs)} ms` }];
    const dead: Broken[] = server.isRunning()
      ? []
      : [{ invariant: "recovers", sentence: "the server ended" }];
    return {
      did: `${kills} kills`,
      lost,
      worstRecoveryMs,
      broken: [...broken, ...late, ...dead],
      figures: Object.entries(load.tally())
        .map(([word, count]) => `${word} ${count}`)
        .join(", "),
    };
  },
};
