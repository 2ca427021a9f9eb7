import { setTimeout as delay } from "node:timers/promises";
import { readMetric } from "../support/bench.ts";
import { amidCreates, createsOverGrpc, givenAccounts } from "../support/creates.ts";
import { percentileOf } from "../support/spread.ts";
import { summarize } from "../support/summary.ts";
import type { Row, Target } from "../support/target.ts";
import { type Contender, figure, type Measurement, RATE, ratioRow } from "../support/turns.ts";

const ACCOUNTS = 20_000;
/** Those who stand in the hasher's queue at most (src/auth/hasher.ts). */
const QUEUE = 32;
const PATIENCE_MS = 200;
const SPREAD_MAX = 2.5;

/** Many callers who take no refusal to heart: what the accepted get meanwhile. */
export const target: Target = {
  number: 10,
  title: "256 callers who retry at once, the pool dry",
  quick: false,
  async run(bench) {
    const database = await bench.database();
    await givenAccounts(database, "bench", ACCOUNTS);
    const server = await bench.serve(database, { KEYTURN_MINT_POOL_SIZE: "0" });
    const load = await createsOverGrpc(bench, server, { organizationId: "bench", accounts: ACCOUNTS });
    const hashes = async () => (await readMetric(server.admin, "keyturn_hash_wait_seconds_count")) ?? 0;
    const wasted: number[] = [];
    const crowdOf = (callers: number, patience?: { readonly patienceMs: number }): Contender => ({
      name: `${callers} callers`,
      serverPid: server.pid,
      async run(durationMs) {
        const before = await hashes();
        const crowd = { callers, connections: 4, retryMs: 0, ...patience };
        const { accepted, inTime } = await amidCreates(load, crowd, () => delay(durationMs));
        const made = (await hashes()) - before;
        if (patience !== undefined) wasted.push(((made - accepted.length) / Math.max(1, made)) * 100);
        // A queue that empties at the end is no longer that of callers who come again.
        return { ...summarize(accepted, 0, durationMs), perSecond: (inTime * 1000) / durationMs };
      },
    });
    const { few, many } = await bench.takeTurns({
      few: crowdOf(16),
      many: crowdOf(256),
      leaving: crowdOf(256, { patienceMs: PATIENCE_MS }),
    });
    const what = "256 callers who retry at once";
    return [
      ratioRow(RATE, [many, few], {
        what,
        against: "16 callers",
        bound: { atLeast: 0.95 },
      }),
      waitRow(what, many, few),
      {
        what: "256 callers, of whom one in ten leaves after 0.2 s: hashes for those who have gone",
        against: "all hashes",
        ours: "",
        theirs: "",
        values: wasted.slice(-bench.rounds),
        unit: "%",
        isCount: true,
        bound: { atMost: 2 },
      },
    ];
  },
};

/** The p99 of the accepted against the time that a full queue takes at the rate of the few. */
function waitRow(what: string, many: readonly Measurement[], few: readonly Measurement[]): Row {
  const queueMs = few.map(({ perSecond }) => (QUEUE / perSecond) * 1000);
  return {
    what: `${what}: p99 of the accepted`,
    against: "the queue times the service time",
    ours: `${figure(
      percentileOf(
        many.map(({ p99Ms }) => p99Ms),
        0.5,
      ),
    )} ms`,
    theirs: `${figure(percentileOf(queueMs, 0.5))} ms`,
    values: many.map(({ p99Ms }, round) => p99Ms / (queueMs[round] as number)),
    unit: "×",
    bound: { atMost: 2 },
    spreadMax: SPREAD_MAX,
  };
}
