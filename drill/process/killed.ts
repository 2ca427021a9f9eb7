import { setTimeout as delay } from "node:timers/promises";
import type { ServerProcess } from "../../test/support/process.ts";
import type { Drill } from "../support/drill.ts";
import { portsOf } from "../support/ports.ts";
import { underLoad } from "../support/under-load.ts";

const KILLS = { quick: 3, full: 100 };

export const drill: Drill = {
  title: "SIGKILL to the server at random points",
  invariants: ["kept", "explained", "gone", "audited", "truthful", "heard", "recovers"],
  bugs: [
    {
      name: "an answer before its commit",
      breaks: "kept",
      file: "src/storage/lane.ts",
      from: "const query = statement(sql);",
      to: `void sql.unsafe("begin").catch(() => {});
        const query = statement(sql);
        setTimeout(() => sql.unsafe("commit").catch(() => {}), 300);`,
    },
  ],
  skip: () => (process.platform === "win32" ? "needs the signals of POSIX" : undefined),
  async run(run) {
    let server: ServerProcess | undefined;
    const kills = run.quick ? KILLS.quick : KILLS.full;
    return underLoad(
      run,
      {
        mayLoseServer: true,
        async serve(world) {
          server = await world.serve();
          return server.addresses.grpc;
        },
      },
      async ({ world, recovered }) => {
        for (let kill = 0; kill < kills; kill += 1) {
          await delay(Math.random() * 1_000);
          const { pid, exited, addresses } = server as ServerProcess;
          process.kill(pid, "SIGKILL");
          await exited;
          server = await world.serve(portsOf(addresses));
          await recovered();
        }
        return { did: `${kills} kills` };
      },
    );
  },
};
