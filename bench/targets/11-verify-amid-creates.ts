import assert from "node:assert/strict";
import { givenSecrets, isPrincipal, VERIFY, verifyMessage } from "../support/checks.ts";
import { amidCreates, createsOverGrpc, givenAccounts } from "../support/creates.ts";
import { openConnections, runArrivals } from "../support/grpc-load.ts";
import { percentileOf } from "../support/spread.ts";
import type { Target } from "../support/target.ts";
import { figure, type LoadResult } from "../support/turns.ts";

const ACCOUNTS = 20_000;
const EVERY_MS = 5;
/** Callers who are turned away wait as RetryInfo says at the least. */
const CROWD = { callers: 256, connections: 4, retryMs: 50 };
const WARM_UP = 2_000;

/** Those who have a secret checked, while everybody else wants a new one. */
export const target: Target = {
  number: 11,
  title: "p99 of VerifyCredential while 256 creates are in flight",
  quick: false,
  async run(bench) {
    const database = await bench.database();
    await givenAccounts(database, "crowd", ACCOUNTS);
    const server = await bench.serve(database);
    const { secrets, token } = await givenSecrets(bench, server);
    const messages = secrets.map(verifyMessage);
    const load = { address: server.grpc, path: VERIFY, messages, token, isWanted: isPrincipal };
    const [connection] = await openConnections({ ...load, connections: 1 });
    assert.ok(connection);
    bench.later(() => connection.close());
    let turn = 0;
    const verify = () => connection.call(messages[turn++ % messages.length] as Buffer);
    for (let n = 0; n < WARM_UP; n += 1) assert.ok(await verify());
    const crowd = await createsOverGrpc(bench, server, { organizationId: "crowd", accounts: ACCOUNTS });
    const run = () => runArrivals(verify, EVERY_MS, bench.durationMs);
    const rounds: { idle: LoadResult; amid: LoadResult }[] = [];
    for (let round = 0; round < bench.rounds; round += 1) {
      const idle = await run();
      let amid = idle;
      await amidCreates(crowd, CROWD, async () => {
        amid = await run();
      });
      rounds.push({ idle, amid });
    }
    const median = (of: (round: (typeof rounds)[number]) => number) =>
      `${figure(percentileOf(rounds.map(of), 0.5))} ms`;
    return [
      {
        what: "VerifyCredential, gRPC, 200 a second, while 256 creates are in flight: p99",
        against: "the same while there is nothing else",
        ours: median(({ amid }) => amid.p99Ms),
        theirs: median(({ idle }) => idle.p99Ms),
        values: rounds.map(({ idle, amid }) => amid.p99Ms - idle.p99Ms),
        unit: "ms",
        bound: { atMost: 10 },
      },
    ];
  },
};
