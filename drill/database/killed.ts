import { setTimeout as delay } from "node:timers/promises";
import type { Drill } from "../support/drill.ts";
import { underLoad } from "../support/under-load.ts";

const KILLS = { quick: 2, full: 20 };
const CREATE = "src/storage/functions/create_credential.sql";
const RECORD =
  "  perform record_outcome(p_caller, locked.account, p_service_account_id, facts #>> '{credential,id}',";

export const drill: Drill = {
  title: "SIGKILL to the postmaster and its backends under load",
  invariants: ["kept", "explained", "gone", "audited", "truthful", "heard", "recovers", "released"],
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
    {
      name: "a deleted credential that still verifies",
      breaks: "gone",
      file: "src/storage/functions/credential_checks.sql",
      from: "when c.deleted_at is not null then 'deleted'",
      to: "when false then 'deleted'",
    },
    {
      name: "a place in the pool that is lost with a connection that does not open",
      breaks: "recovers",
      file: "src/storage/lane.ts",
      from: "answer.reject(notOpenedFault(err));",
      to: "answer.reject(notOpenedFault(err));\n        return new Promise<never>(() => {});",
    },
  ],
  skip: () => (process.platform === "win32" ? "needs the signals of POSIX" : undefined),
  run: (run) =>
    underLoad(run, {}, async ({ world, recovered }) => {
      const kills = run.quick ? KILLS.quick : KILLS.full;
      for (let kill = 0; kill < kills; kill += 1) {
        await delay(Math.random() * 1_000);
        await world.cluster.kill();
        await world.cluster.restart();
        await recovered();
      }
      return { did: `${kills} kills` };
    }),
};
