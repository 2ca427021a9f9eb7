import { setTimeout as delay } from "node:timers/promises";
import { type Bench, type BenchDatabase, untilPoolIsFull } from "../support/bench.ts";
import { createsOverGrpc, givenAccounts } from "../support/creates.ts";
import { openConnections } from "../support/grpc-load.ts";
import { summarize } from "../support/summary.ts";
import type { Target } from "../support/target.ts";
import { type Contender, P99, ratioRow } from "../support/turns.ts";

const BURST = 64;
const ACCOUNTS = 2_000;
/** Who is turned away comes again after what RetryInfo asks for at the least. */
const RETRY_MS = 50;
const IDLE_MS = 100;
const P99_SPREAD_MAX = 2.5;

/** Many who come at once after nobody came for a while: what the pool is for. */
export const target: Target = {
  number: 3,
  title: "a burst of 64 creates after idle: p99",
  quick: false,
  async run(bench) {
    const database = await bench.database();
    await givenAccounts(database, "bench", ACCOUNTS);
    const { pool, none } = await bench.takeTurns({
      pool: await burstsAt(bench, database, BURST),
      none: await burstsAt(bench, database, 0),
    });
    return [
      ratioRow(P99, [pool, none], {
        what: "64 creates at once, pool of 64",
        against: "the same with no pool",
        bound: { atMost: 0.15 },
        spreadMax: P99_SPREAD_MAX,
      }),
    ];
  },
};

async function burstsAt(bench: Bench, database: BenchDatabase, poolSize: number): Promise<Contender> {
  const server = await bench.serve(database, { KEYTURN_MINT_POOL_SIZE: String(poolSize) });
  const load = await createsOverGrpc(bench, server, { organizationId: "bench", accounts: ACCOUNTS });
  const connections = await openConnections(load);
  bench.later(() => {
    for (const connection of connections) connection.close();
  });
  let turn = 0;
  /** From the first attempt to the success. */
  const createOne = async (): Promise<number> => {
    const sentAt = performance.now();
    const connection = connections[turn % connections.length];
    const message = load.messages[turn++ % load.messages.length] as Buffer;
    while (!(await connection?.call(message))) await delay(RETRY_MS);
    return performance.now() - sentAt;
  };
  return {
    name: `a pool of ${poolSize}`,
    serverPid: server.pid,
    async run(durationMs) {
      const startedAt = performance.now();
      const latencies: number[] = [];
      do {
        await delay(IDLE_MS);
        latencies.push(...(await Promise.all(Array.from({ length: BURST }, createOne))));
        // Nor may it hash while another one is measured.
        await untilPoolIsFull(server.admin, poolSize);
      } while (performance.now() - startedAt < durationMs);
      return summarize(latencies, 0, performance.now() - startedAt);
    },
  };
}
