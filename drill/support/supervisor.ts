import { setTimeout as delay } from "node:timers/promises";
import type postgres from "postgres";
import type { TestCluster } from "../../test/support/cluster.ts";

/** Starts a database again whenever it has ended, and ends it when it hangs, as whoever runs one has it done. */
interface Supervisor {
  /** How often it has come back. */
  starts(): number;
  stop(): Promise<void>;
}

const EVERY_MS = 50;
/** PostgreSQL may hang for good in a recovery that finds no room for its last checkpoint. */
const SILENCE_MS_MAX = 10_000;

export function supervise(
  cluster: Pick<TestCluster, "exited" | "kill" | "restart">,
  sql: postgres.Sql,
): Supervisor {
  let [starts, isOver, answeredAt] = [0, false, performance.now()];
  const look = async () => {
    const isThere = await Promise.race([sql`select`.catch(() => undefined), delay(SILENCE_MS_MAX)]);
    if (isThere !== undefined) answeredAt = performance.now();
    return performance.now() - answeredAt < SILENCE_MS_MAX;
  };
  const loop = async () => {
    while (!isOver) {
      const hasEnded = await Promise.race([cluster.exited().then(() => true), delay(EVERY_MS, false)]);
      if (isOver || (!hasEnded && (await look()))) continue;
      if (!hasEnded) await cluster.kill();
      // On a full disk it does not even start.
      const isBack = await cluster.restart().then(
        () => true,
        () => delay(EVERY_MS, false),
      );
      if (!isBack) continue;
      starts += 1;
      answeredAt = performance.now();
    }
  };
  const work = loop();
  return {
    starts: () => starts,
    async stop() {
      isOver = true;
      await work;
    },
  };
}
