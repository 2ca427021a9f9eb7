import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "../../test/support/eventually.ts";
import { metricOf, type ServerProcess } from "../../test/support/process.ts";
import type { Drill } from "../support/drill.ts";
import { backendsOf, type Standstill, standstillIn } from "../support/standstill.ts";
import { underLoad } from "../support/under-load.ts";
import type { World } from "../support/world.ts";

const KILLS = { quick: 1, full: 20 };
/** So many calls are at the database when it dies. */
const UNDER_WAY = 3;
const CREATE = "src/storage/functions/create_credential.sql";
const RECORD =
  "  perform record_outcome(p_caller, locked.account, p_service_account_id, facts #>> '{credential,id}',";

export const drill: Drill = {
  title: "SIGKILL to the postmaster and its backends, and to one of its backends, under load",
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
  async run(run) {
    let server: ServerProcess | undefined;
    const onServer = (started: ServerProcess) => {
      server = started;
    };
    return underLoad(run, { onServer }, async ({ world, recovered }) => {
      const backends = standstillIn(world);
      const kills = run.quick ? KILLS.quick : KILLS.full;
      for (let kill = 0; kill < kills; kill += 1) {
        for (const die of [allDie, oneDies]) {
          await delay(Math.random() * 1_000);
          backends.stop(await backendsOf(world));
          await callsWait(server as ServerProcess);
          await die(world, backends);
          await recovered();
        }
      }
      return { did: `${kills} kills of the postmaster with its backends, ${kills} of one backend` };
    });
  },
};

/** Else most statements end in the moment between two signals, and hardly a call is lost. */
const callsWait = (server: ServerProcess) =>
  eventually(async () => ((await metricOf(server, "keyturn_database_connections_in_use")) ?? 0) >= UNDER_WAY);

async function allDie({ cluster }: World, backends: Standstill): Promise<void> {
  const dead = cluster.kill();
  backends.kill();
  await dead;
  // PostgreSQL does not start as long as a process of the one before is left.
  await eventually(() =>
    cluster.restart().then(
      () => true,
      () => false,
    ),
  );
}

/** The postmaster ends all others over it, and recovers. */
async function oneDies({ sql }: World, backends: Standstill): Promise<void> {
  const own = async () => (await sql<{ pid: number }[]>`select pg_backend_pid() as pid`)[0]?.pid;
  const before = await own();
  backends.kill(1);
  backends.resume();
  await eventually(() =>
    own().then(
      (pid) => pid !== before,
      () => false,
    ),
  );
}
