import { availableParallelism } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { type Memory, memoryOf } from "../../test/support/memory.ts";
import { amidCreates, createsOverGrpc, givenAccounts } from "../support/creates.ts";
import type { Target } from "../support/target.ts";

const ACCOUNTS = 20_000;
const LEVELS = [1, 4, 16, 64, 256, 1_024];
/** A connection has a hundred streams at most. */
const CALLERS_OF_CONNECTION = 64;
const RETRY_MS = 50;
const HASH_MIB = 19;
const ROOM_MIB = 64;
/** What "flat" leaves to more connections and their buffers. */
const FLAT_MIB = 32;

/** Memory follows the permits, and not those who wait. */
export const target: Target = {
  number: 12,
  title: "memory with 1 to 1,024 creates in flight",
  quick: true,
  async run(bench) {
    const database = await bench.database();
    await givenAccounts(database, "bench", ACCOUNTS);
    const server = await bench.serve(database);
    const load = await createsOverGrpc(bench, server, { organizationId: "bench", accounts: ACCOUNTS });
    await delay(bench.durationMs);
    const memory = memoryOf(server.pid) as Memory;
    const idle = memory.now();
    const peaks: number[] = [];
    for (const callers of LEVELS) {
      memory.forget();
      const connections = Math.ceil(callers / CALLERS_OF_CONNECTION);
      const crowd = { callers, connections, retryMs: RETRY_MS };
      await amidCreates(load, crowd, () => delay(bench.durationMs));
      peaks.push(memory.peak());
    }
    const shown = LEVELS.map((callers, index) => `${callers}: ${Math.round(peaks[index] ?? 0)}`).join(", ");
    const [most, of64] = [Math.max(...peaks), peaks[LEVELS.indexOf(64)] ?? 0];
    const allowed = availableParallelism() * HASH_MIB + ROOM_MIB;
    return [
      {
        what: `high water with creates in flight (${shown} MiB), beyond idle`,
        against: "permits × 19 MiB + 64 MiB",
        ours: `${Math.round(most)} MiB`,
        theirs: `idle ${Math.round(idle)} MiB`,
        values: [most - idle],
        unit: "MiB",
        isCount: true,
        bound: { atMost: allowed, quick: 3 * allowed },
      },
      {
        what: "high water of 1,024 beyond that of 64",
        against: "flat",
        ours: `${Math.round(peaks.at(-1) ?? 0)} MiB`,
        theirs: `${Math.round(of64)} MiB`,
        values: [(peaks.at(-1) ?? 0) - of64],
        unit: "MiB",
        isCount: true,
        bound: { atMost: FLAT_MIB, quick: 200 },
      },
    ];
  },
};
